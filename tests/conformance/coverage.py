#!/usr/bin/env python3
"""Does every row of rows.txt appear in a case, and does every case cite rows
that are there, in words that the runners know? A row without a case says why,
and a test that it names is there.

    python3 tests/conformance/coverage.py
"""
import glob
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
KINDS = ("open", "not here", "beyond", "test")  # of reasons

# What README.md explains; another word would be passed over in silence.
CASE = {"name", "section", "source", "settings", "records", "shards", "handler", "restart", "expect", "refused",
        "visibility", "handler_timeout", "until", "unordered", "any_order", "core_only", "whole_only", "slow",
        "no_start", "source_text", "handler_name"}
RECORD = {"name", "data", "key", "at", "after_calls", "age", "arrives", "shard", "life", "size", "event",
          "user_identity", "message_attributes", "md5_of_attributes"}
RESULT = {"ends", "takes", "with", "times", "responds", "responds_text", "responds_bytes", "marks", "marks_index",
          "state", "state_size"}
EXPECT = {"invocations", "and_so_on", "deleted", "checkpoints", "reports", "events", "documents", "objects", "again", "told",
          "counts", "metrics", "at_once"}
INVOCATION = {"records", "receives", "after", "at", "attempt", "window", "state", "final", "early"}
REPORT = {"condition", "records", "invoke_count", "error", "at"}


def read_rows():
    rows = {}
    with open(os.path.join(HERE, "rows.txt")) as f:
        for line in f.read().splitlines():
            if line and not line.startswith("#"):
                name, _, reason = line.partition(" -- ")
                assert name not in rows, f"{name} is there twice"
                rows[name] = reason
    return rows


def read_cases():
    for path in sorted(glob.glob(os.path.join(HERE, "*.json"))):
        with open(path) as f:
            topic = json.load(f)
        for case in topic["cases"]:
            yield f"{topic['topic']}: {case['name']}", case


def strangers(case):
    """Words that no runner knows."""
    expect = case.get("expect", {})
    parts = [([case], CASE), (case.get("records", []), RECORD), (case.get("handler", []), RESULT), ([expect], EXPECT),
             (expect.get("invocations", []), INVOCATION), (expect.get("reports", []), REPORT)]
    return [word for found, known in parts for one in found if isinstance(one, dict) for word in set(one) - known]


def cited_by(case):
    return case["section"] if isinstance(case["section"], list) else [case["section"]]


def what_is_wrong_with(reason):
    """Of a row without a case; None: nothing."""
    kind = reason.partition(":")[0]
    if kind not in KINDS:
        return f"a reason that is none of {', '.join(KINDS)}"
    for path in re.findall(r"tests/[\w./]+\w", reason):
        if not os.path.exists(os.path.join(ROOT, path)):
            return f"there is no {path}"
    if kind != "test":
        return None
    path, _, name = reason.removeprefix("test: ").partition(" ")
    with open(os.path.join(ROOT, path)) as f:
        return None if name and name in f.read() else f"{path} has no \"{name}\""


def check(rows, cases):
    """All that is wrong, as sentences."""
    wrong, cited, names = [], set(), set()
    for name, case in cases:
        wrong += [f"{name}: there twice"] if name in names else []
        wrong += [f"{name}: no runner knows \"{word}\"" for word in strangers(case)]
        wrong += [f"{name}: cites a row that is not there: {row}" for row in cited_by(case) if row not in rows]
        names.add(name)
        cited.update(cited_by(case))
    for row, reason in rows.items():
        problem = what_is_wrong_with(reason) if reason else None
        wrong += [f"{row}: {problem}"] if problem else []
        if not reason and row not in cited:
            wrong.append(f"{row}: no case")
        if reason and not reason.startswith("open") and row in cited:
            wrong.append(f"{row}: has a case, and a reason to have none")
    return wrong


def main():
    rows, cases = read_rows(), list(read_cases())
    wrong = check(rows, cases)
    for sentence in wrong:
        print(sentence)
    reasons = [reason.partition(":")[0] for reason in rows.values() if reason]
    told = ", ".join(f"{reasons.count(kind)} {kind}" for kind in KINDS)
    print(f"conformance: {len(cases)} cases for {len(rows) - len(reasons)} rows; {len(reasons)} rows without ({told})")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

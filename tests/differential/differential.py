#!/usr/bin/env python3
"""Both engines judge the same random patterns and events; see README.md.

usage: differential.py JUDGE RULER-CLASSPATH [JUDGEMENTS [SEED]]
"""
import collections
import concurrent.futures
import json
import random
import subprocess
import sys

import differences
import generate
from generate import Number, Object

JUDGE, CLASSPATH = sys.argv[1], sys.argv[2]
JUDGEMENTS = int(sys.argv[3]) if len(sys.argv) > 3 else 40000
SEED = int(sys.argv[4]) if len(sys.argv) > 4 else random.SystemRandom().randrange(1 << 32)
EVENTS_EACH = 8
SHOWN = 10  # unexplained differences


class Plain:
    """In place of chance, where a value is only written down."""

    @staticmethod
    def random():
        return 0.0

    @staticmethod
    def choice(some):
        return some[0]


def dump(value):
    return generate.dump(Plain, value)


def load(text):
    return json.loads(text, object_pairs_hook=Object, parse_int=Number, parse_float=Number)


def answers(command, lines):
    out = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, check=True, encoding="utf-8",
                         errors="replace").stdout
    found = out.rstrip("\n").split("\n")
    assert len(found) == len(lines), f"{command[0]}: {len(found)} answers to {len(lines)} lines"
    return found


def ours(lines):
    return answers([JUDGE], lines)


def theirs(lines):
    return answers(["java", "-XX:+UseSerialGC", "-cp", CLASSPATH, "Judge"], lines)


def both(lines):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return zip(*pool.map(lambda engine: engine(lines), (ours, theirs)))


def both_on(cases):
    """(our verdict, theirs) for each (pattern, event)."""
    lines = [line for pattern, event in cases for line in ("P " + pattern, "E " + event)]
    return list(both(lines))[1::2] if lines else []


def questions(rng):
    lines, count = [], 0
    for pattern, events in generate.cases(rng, EVENTS_EACH):
        lines.append("P " + pattern)
        lines += ["E " + event for event in events]
        count += len(events)
        if count >= JUDGEMENTS:
            return lines


# ---- what explains a difference ------------------------------------------------

def explain_refusal(pattern, our, their):
    try:
        value = load(pattern)
    except ValueError:
        value = Object()
    for name, we, they, _, applies in differences.REFUSALS:
        if we in our and they in their and applies(pattern, value):
            return name
    return None


def explain_by_causes(cases):
    """Takes out of each case whatever may be a cause. {number: names} of those
    that both engines then agree on."""
    changed, names = {}, {}
    for number, (pattern, event, _) in enumerate(cases):
        parts = load(pattern), load(event)
        causes = [cause for cause in differences.CAUSES if cause.applies(*parts)]
        for cause in causes:
            parts = cause.without(parts[0], parts[0]), cause.without(parts[0], parts[1])
        if causes:
            changed[number] = tuple(dump(part) for part in parts)
            names[number] = " + ".join(cause.__name__ for cause in causes)
    agreed = both_on(list(changed.values()))
    return {number: names[number] for number, (our, their) in zip(changed, agreed) if our == their and our != "no pattern"}


def explain_by_lists(cases):
    owners, lines = [], []
    for number, (pattern, event, _) in enumerate(cases):
        for one in differences.ListAgainstItself.alternatives(load(pattern)) or []:
            owners.append(number)
            lines += ["P " + dump(one), "E " + event]
    found = collections.defaultdict(list)
    for number, answer in zip(owners, theirs(lines)[1::2] if lines else []):
        found[number].append(answer)
    return {number: "ListAgainstItself" for number, some in found.items()
            if ("match" if "match" in some else "no match") == cases[number][2][0]}


# ---- the smallest case ---------------------------------------------------------

def reductions(value):
    if isinstance(value, Object):
        for i, (name, inner) in enumerate(value):
            yield Object(value[:i] + value[i + 1:])
            for smaller in reductions(inner):
                yield Object(value[:i] + [(name, smaller)] + value[i + 1:])
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield value[:i] + value[i + 1:]
            for smaller in reductions(inner):
                yield value[:i] + [smaller] + value[i + 1:]
        if len(value) == 1:
            yield value[0]
    elif isinstance(value, str) and len(value) > 1 and not isinstance(value, Number):
        yield value[:-1]
        yield value[1:]


def shrunk(pattern, event, verdicts):
    while True:
        smaller = [(dump(p), event) for p in reductions(load(pattern))] + [(pattern, dump(e)) for e in reductions(load(event))]
        for case, found in zip(smaller, both_on(smaller)):
            if found == verdicts:
                pattern, event = case
                break
        else:
            return pattern, event


# ---- the whole -----------------------------------------------------------------

def judge(lines):
    """Counts, refusals that differ, verdicts that differ."""
    counts, refusals, verdicts, pattern = collections.Counter(), [], [], None
    for line, (our, their) in zip(lines, both(lines)):
        if line[0] == "P":
            pattern = line[2:]
            if (our == "accepted") != (their == "accepted"):
                refusals.append((pattern, our, their))
            counts["patterns refused by both" if our != "accepted" and their != "accepted" else "patterns"] += 1
        elif "no pattern" not in (our, their):
            counts[f"judged: {our}"] += 1
            if our != their:
                verdicts.append((pattern, line[2:], (our, their)))
    return counts, refusals, verdicts


def main():
    print(f"seed {SEED}; the same again: sh tests/differential/run.sh BUILD {JUDGEMENTS} {SEED}", flush=True)
    counts, refusals, verdicts = judge(questions(random.Random(SEED)))
    explained, unexplained = collections.Counter(), []
    for refusal in refusals:
        name = explain_refusal(*refusal)
        explained[name] += 1
        if not name:
            unexplained.append("pattern {}\n  ours:   {}\n  theirs: {}".format(*refusal))
    by_causes = explain_by_causes(verdicts)
    rest = [case for number, case in enumerate(verdicts) if number not in by_causes]
    by_lists = explain_by_lists(rest)
    explained.update(by_causes.values())
    explained.update(by_lists.values())
    del explained[None]
    for number, (pattern, event, found) in enumerate(rest):
        if number not in by_lists:
            if len(unexplained) < SHOWN:
                pattern, event = shrunk(pattern, event, found)
            unexplained.append(f"pattern {pattern}\nevent   {event}\n  ours: {found[0]}, theirs: {found[1]}")
    for name, count in sorted(counts.items()):
        print(f"{count:8} {name}")
    for name, count in sorted(explained.items()):
        print(f"{count:8} explained: {name}")
    print(f"{len(unexplained):8} unexplained")
    for text in unexplained[:SHOWN]:
        print("\n" + text)
    judged = sum(count for name, count in counts.items() if name.startswith("judged"))
    sys.exit(bool(unexplained) or judged < JUDGEMENTS // 2)


main()

#!/usr/bin/env python3
"""Does every row of rows.txt appear in a case, and does every case cite rows
that are there? A row with a reason behind " -- " needs no case.

    python3 tests/conformance/coverage.py
"""
import glob
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def read_rows():
    rows = {}
    with open(os.path.join(HERE, "rows.txt")) as f:
        for line in f.read().splitlines():
            if line and not line.startswith("#"):
                name, _, reason = line.partition(" -- ")
                assert name not in rows, f"{name} is there twice"
                rows[name] = reason
    return rows


def read_cited():
    cited, names = {}, set()
    for path in sorted(glob.glob(os.path.join(HERE, "*.json"))):
        with open(path) as f:
            topic = json.load(f)
        for case in topic["cases"]:
            name = f"{topic['topic']}: {case['name']}"
            assert name not in names, f"{name} is there twice"
            names.add(name)
            sections = case["section"] if isinstance(case["section"], list) else [case["section"]]
            for section in sections:
                cited.setdefault(section, []).append(name)
    return cited, names


def main():
    rows, (cited, names) = read_rows(), read_cited()
    unknown = sorted(set(cited) - set(rows))
    lacking = [r for r, reason in rows.items() if not reason and r not in cited]
    for section in unknown:
        print(f"no such row: {section}, cited by {cited[section][0]}")
    for row in lacking:
        print(f"no case: {row}")
    excused = [r for r, reason in rows.items() if reason]
    unknown_of_aws = [r for r in excused if rows[r].startswith("open")]
    print(f"conformance: {len(names)} cases for {len(rows) - len(excused) - len(lacking)} of "
          f"{len(rows) - len(excused)} rows; {len(excused)} rows without, each with its reason "
          f"({len(unknown_of_aws)} of them not known of AWS)")
    return bool(unknown or lacking)


if __name__ == "__main__":
    sys.exit(main())

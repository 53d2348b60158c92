#!/usr/bin/env python3
"""The same end-to-end stories on every server: ElasticMQ, moto, kinesis-mock and
MiniStack, which nobody here wrote, and the embedded server beside them. Some
run at once: they wait more than they work.

usage: stories.py BUILD [STORY...]
"""
import concurrent.futures
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import aggregated  # noqa: E402
import dynamodb  # noqa: E402
import failures  # noqa: E402
import fanout  # noqa: E402
import fifo  # noqa: E402
import queues  # noqa: E402
import resharding  # noqa: E402
import streams  # noqa: E402
from stage import Stage  # noqa: E402

MODULES = (queues, fifo, streams, resharding, fanout, aggregated, dynamodb, failures)
AT_ONCE = 4


def tell(build, story):
    """A line of what came of it, and whether it went well."""
    name, function, servers, arguments = story
    begun = time.monotonic()
    try:
        with Stage(build) as stage:
            function(stage, *(server(stage) for server in servers), *arguments)
    except Exception as problem:  # one story's failure must not hide the next
        return False, f"FAILED {name}: {type(problem).__name__}: {problem}"
    return True, f"ok     {name} ({time.monotonic() - begun:.1f} s)"


def main():
    build, wanted = sys.argv[1], sys.argv[2:]
    todo = [story for module in MODULES for story in module.STORIES
            if not wanted or any(w in story[0] for w in wanted)]
    passed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for end in concurrent.futures.as_completed([pool.submit(tell, build, story) for story in todo]):
            is_good, line = end.result()
            passed += is_good
            print(line, flush=True)
    print(f"{passed} passed, {len(todo) - passed} failed")
    sys.exit(0 if passed and passed == len(todo) else 1)


if __name__ == "__main__":
    main()

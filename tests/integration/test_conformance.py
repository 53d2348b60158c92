#!/usr/bin/env python3
"""The cases of tests/conformance on a whole pollard: each its own trigger with
its own queue or stream, all of them in one worker at once, a handler that does
what the case says. Queues and Kinesis streams are the embedded server's,
DynamoDB's tests/support/dynamodb_streams.py, buckets object_store.py. What can be seen from outside is
compared: the calls, what is left in the queue, the checkpoint, the reports, the
log and the metrics. Cases with a second life then start in a second worker.

    python3 tests/integration/test_conformance.py build/release [--slow] [topic...]
"""
import contextlib
import glob
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from case_whole import REGION, Case, Servers  # noqa: E402
from dynamodb_streams import DynamodbStreams  # noqa: E402
from object_store import ObjectStore  # noqa: E402
from stage import Stage, stop, wait_until  # noqa: E402

SECONDS, SLOW_SECONDS = 60, 300  # for all of them, which run at once


def load(topics):
    cases = []
    for path in sorted(glob.glob("tests/conformance/*.json")):
        with open(path) as f:
            topic = json.load(f)
        if topics and topic["topic"] not in topics:
            continue
        cases += [Case(topic["topic"], spec) for spec in topic["cases"]]
    return cases


class Run:
    """One worker with all the cases that run."""

    HEAD = """version: 1
aws:
  region: {region}
  endpoint_url: "http://127.0.0.1:{port}"
  endpoint_urls: {{dynamodb_streams: "http://127.0.0.1:{dynamodb}", s3: "http://127.0.0.1:{objects}"}}
store: {{sqlite: {{path: "{store}"}}, checkpoint_interval: 50ms}}
triggers:
"""

    def __init__(self, stage, cases, seconds):
        self.stage, self.cases, self.seconds = stage, cases, seconds
        self.store = stage.path("state.db")
        _, self.port = stage.start_local()
        self.dynamodb, self.objects = DynamodbStreams(), ObjectStore()
        self.servers = Servers(stage.aws("sqs", self.port), stage.aws("kinesis", self.port), self.dynamodb, self.objects)
        self.names = []  # of the workers, for their logs
        for index, case in enumerate(cases):
            case.place(100 + index, stage)
            case.create(self.servers)

    def close(self):
        self.dynamodb.close()
        self.objects.close()

    def config(self, cases):
        text = self.HEAD.format(region=REGION, port=self.port, dynamodb=self.dynamodb.port,
                                objects=self.objects.port, store=self.store)
        return text + "".join(c.trigger_text(self.stage.handler("scripted")) for c in cases)

    def send_first(self):
        """What is there before the worker starts, at its time before that."""
        first = [(r.at, c, r) for c in self.cases for r in c.records if r.at < 0]
        start = time.time() - min([at for at, _, _ in first], default=0) / 1000
        for at, case, record in sorted(first, key=lambda x: x[0]):
            time.sleep(max(0, start + at / 1000 - time.time()))
            case.send([record])
        time.sleep(max(0, start - time.time()))
        for case in self.cases:
            case.start_ms = int(start * 1000)
            case.send([r for r in case.records if r.at == 0 and r.life == 1])

    def send_later(self):
        """Each record at its time after the start."""
        start = time.monotonic()
        for case in self.cases:
            case.sent_at = start * 1000
        later = {}
        for case in self.cases:
            for record in case.records:
                if record.at > 0 and record.life == 1:
                    later.setdefault((record.at, case.trigger), (case, []))[1].append(record)
        for (at, _), (case, records) in sorted(later.items()):
            time.sleep(max(0, start + at / 1000 - time.monotonic()))
            self.await_turn(case, records)
            case.send(records)

    def await_turn(self, case, records):
        calls = max(r.after_calls for r in records)
        if calls:
            wait_until(lambda: len(case.calls()) >= calls, 30, f"{case.name}: {calls} calls")
        if case.starts_now():
            wait_until(lambda: case.has_begun(self.checkpoints()), 30, f"{case.name}: its reading has begun")

    def checkpoints(self):
        """The checkpoints of each stream's shards."""
        found = {}
        for stream, checkpoint in self.rows():
            found.setdefault(self.stream_of(stream), []).append(checkpoint)
        return found

    def rows(self):
        if not os.path.exists(self.store):
            return []
        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as store:
            if not store.execute("SELECT 1 FROM sqlite_master WHERE name = 'lease'").fetchall():
                return []
            return store.execute("SELECT stream, ckpt FROM lease").fetchall()

    @staticmethod
    def stream_of(name):
        """Leases are kept under the ARN or name of a stream and its creation."""
        return next((part for part in name.replace("/", ":").replace("@", ":").split(":")
                     if part[:1] == "c" and part[1:].isdigit()), name)

    def lines(self):
        for name in self.names:
            with open(self.stage.path(name + ".log"), errors="replace") as f:
                yield from (json.loads(line) for line in f if line.startswith("{") and line.endswith("}\n"))

    def log(self):
        lines = {}
        for event in self.lines():
            lines.setdefault(event.get("trigger"), []).append(" ".join(str(v) for v in event.values()))
        return lines

    def metrics(self):
        """Of each trigger, as it last said them."""
        return {line["trigger"]: line for line in self.lines() if line["event"] == "trigger.counters"}

    def start(self, cases):
        self.names.append(f"pollard-{len(self.names) + 1}")
        pollard = self.stage.start_pollard(self.stage.write("pollard.yaml", self.config(cases)), self.names[-1])
        wait_until(lambda: pollard.poll() is not None or any(c.calls() for c in self.cases), 30, "a first call")
        assert pollard.poll() is None, "pollard ended"
        return pollard

    def end(self, pollard, cases):
        try:
            wait_until(lambda: self.are_done(cases), self.seconds, "all cases are done")
        except AssertionError:
            for case in self.waits_for:
                case.problems.append("it never came to rest: the queue, the checkpoint, the calls or the reports "
                                     f"are not what is expected; checkpoints: {self.checkpoints().get(case.resource)}")
        pollard.send_signal(signal.SIGUSR1)
        wait_until(lambda: set(self.metrics()) >= {c.trigger for c in cases if c.spec["settings"].get("enabled", True)},
                   30, "metrics are told")
        assert stop(pollard) == 0

    def are_done(self, cases):
        checkpoints = self.checkpoints()
        self.waits_for = [c for c in cases if not c.is_done(checkpoints)]
        return not self.waits_for

    def second_life(self):
        again = [c for c in self.cases if "restart" in c.spec]
        if not again:
            return
        for case in again:
            case.life = 2
            case.send([r for r in case.records if r.life == 2])
        self.end(self.start(again), again)

    def go(self):
        self.send_first()
        pollard = self.start(self.cases)
        self.send_later()
        self.end(pollard, self.cases)
        self.second_life()
        log, metrics = self.log(), self.metrics()
        for case in self.cases:
            case.check(log, metrics)


def refuse(stage, case):
    """A configuration that breaks a rule is refused, and the rule is told."""
    case.place(100, stage)
    path = stage.write("refused.yaml", "version: 1\ntriggers:\n" + case.trigger_text("a.so"))
    done = subprocess.run([stage.build + "/pollard", "run", "-c", path], capture_output=True, text=True, timeout=30)
    if done.returncode != 78 or case.spec["refused"] not in done.stderr:
        case.complain("refusal", case.spec["refused"], [done.returncode, done.stderr])


def run_all(stage, cases, seconds):
    run = Run(stage, cases, seconds)
    try:
        run.go()
    finally:
        run.close()


def main(build, arguments):
    is_slow = "--slow" in arguments
    cases = load([a for a in arguments if a != "--slow"])
    core_only = [c for c in cases if "core_only" in c.spec]
    refused = [c for c in cases if "refused" in c.spec]
    left_out = [c for c in cases if ("slow" in c.spec) != is_slow and c not in core_only + refused]
    run = [c for c in cases if c not in core_only + refused + left_out]
    if os.access("/dev/shm", os.W_OK):
        tempfile.tempdir = "/dev/shm"  # a sync costs nothing there
    with Stage(build) as stage:
        for case in refused:
            refuse(stage, case)
        if run:
            run_all(stage, run, SLOW_SECONDS if is_slow else SECONDS)
        bad = [c for c in cases if c.problems]
        for case in bad:
            print(f"FAILED {case.topic}: {case.name} ({getattr(case, 'trigger', '')})")
            for problem in case.problems:
                print("  " + problem)
    print(f"conformance: {len(run)} cases run, {len(refused)} refusals, {len(core_only)} for the core only, "
          f"{len(left_out)} left out, {len(bad)} failed")
    return len(bad) > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

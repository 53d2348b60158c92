#!/usr/bin/env python3
"""The cases of tests/conformance on a whole pollard: each its own trigger with
its own queue or stream on the embedded server, all of them in one worker at
once, a handler that does what the case says. What can be seen from outside is
compared: the calls, what is left in the queue, the checkpoint, the reports.

    python3 tests/integration/test_conformance.py build/release [topic...]
"""
import base64
import glob
import json
import os
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from stage import Stage, stop, wait_until  # noqa: E402

SECONDS = 60  # for all of them, which run at once
SLACK_MS = 150  # between a receive and its call, when times are compared
ACCOUNT = "000000000000"


def load(topics):
    cases = []
    for path in sorted(glob.glob("tests/conformance/*.json")):
        with open(path) as f:
            topic = json.load(f)
        if topics and topic["topic"] not in topics:
            continue
        cases += [Case(topic["topic"], spec) for spec in topic["cases"]]
    return cases


class Record:
    def __init__(self, spec, fifo, stream):
        spec = {"name": spec} if isinstance(spec, str) else spec
        self.name, self.at, self.after_calls = spec["name"], spec.get("at", 0), spec.get("after_calls", 0)
        data = spec.get("data", self.name)
        self.data = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
        self.known_as = self.data
        self.data += "." * (spec.get("size", 0) - len(self.data))
        self.key = spec.get("key", "g" if fifo else self.name if stream else "")


class Case:
    def __init__(self, topic, spec):
        self.topic, self.spec = topic, spec
        self.name, self.source = spec["name"], spec["source"]
        self.expect = spec.get("expect", {})
        self.is_queue = self.source in ("sqs", "fifo")
        self.is_fifo = self.source == "fifo"
        self.records = [Record(r, self.is_fifo, not self.is_queue) for r in spec.get("records", [])]
        self.sequences = {}
        self.problems = []
        self.sent_at = 0

    def place(self, index, stage):
        """Which trigger it is, and where its things are."""
        self.trigger = f"c{index}"
        self.resource = self.trigger + (".fifo" if self.is_fifo else "")
        self.failed = f"failed-{self.trigger}"
        self.ledger = stage.path(f"{self.trigger}.jsonl")

    def settings(self, library):
        """Its trigger, as a user writes it. JSON is YAML."""
        settings = json.loads(json.dumps(self.spec.get("settings", {})).replace(
            "$failed", f"arn:aws:sqs:us-east-1:{ACCOUNT}:{self.failed}"))
        source = {"sqs": {"queue": self.resource}} if self.is_queue else {"kinesis": {"stream": self.resource}}
        if self.source == "dynamodb":
            source = {"arn": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{self.resource}/stream/2026-01-01T00:00:00.000"}
        if not self.is_queue and not self.spec.get("no_start"):
            settings.setdefault("starting_position", "TRIM_HORIZON")
        if self.is_queue:
            settings.setdefault("wait_time_seconds", 1)  # a stop waits for the poll
        script = {"ledger": self.ledger, "handler": self.spec.get("handler", []),
                  "names": {r.known_as: r.name for r in self.records}, "events": "events" in self.expect}
        handler = {"library": library, "isolation": "thread", "timeout": self.spec.get("handler_timeout", "1s"),
                   "settings": script}
        return {"source": source, "handler": self.spec.get("handler_name", handler), **settings}

    def trigger_text(self, library):
        lines = [f"  {self.trigger}:\n"]
        for key, value in self.settings(library).items():
            text = json.dumps(value)
            if key == "source" and "source_text" in self.spec:
                text = "{" + self.spec["source_text"] + "}"
            if text != "{}" or key != "source":
                lines.append(f"    {key}: {text}\n")
        return "".join(lines)

    # -- the server's side

    def create(self, sqs, kinesis):
        if self.is_queue:
            visibility = -(-self.spec.get("visibility", 2000) // 1000)
            fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if self.is_fifo else {}
            self.url = sqs.create_queue(self.resource, VisibilityTimeout=visibility, **fifo)
        else:
            kinesis.create_stream(self.resource, 1)
        if "$failed" in json.dumps(self.spec.get("settings", {})):
            self.failed_url = sqs.create_queue(self.failed)

    def send(self, records, sqs, kinesis):
        if not records:
            return
        if not self.is_queue:
            entries = [{"Data": base64.b64encode(r.data.encode()).decode(), "PartitionKey": r.key} for r in records]
            reply = kinesis.call("PutRecords", StreamName=self.resource, Records=entries)
            for record, done in zip(records, reply["Records"]):
                self.sequences[done["SequenceNumber"]] = record.name
            return
        for i in range(0, len(records), 10):
            entries = [{"Id": str(n), "MessageBody": r.data, **({"MessageGroupId": r.key} if self.is_fifo else {})}
                       for n, r in enumerate(records[i:i + 10])]
            reply = sqs.call("SendMessageBatch", QueueUrl=self.url, Entries=entries)
            assert not reply.get("Failed"), reply

    # -- what happened

    def calls(self):
        if not os.path.exists(self.ledger):
            return []
        with open(self.ledger) as f:
            return [json.loads(line) for line in f.read().splitlines(keepends=True) if line.endswith("\n")]

    def kept(self):
        """Names of the records that the case expects to stay in the queue."""
        if "deleted" not in self.expect:
            return []
        gone = self.expect["deleted"].split()
        return [r.name for r in self.records if r.name not in gone]

    def is_done(self, sqs, checkpoints):
        """Nothing more can come, or what is to come has not."""
        if len(self.calls()) < len(self.expect.get("invocations", [])):
            return False
        if self.is_queue:
            return sum(sqs.counts(self.url)) == len(self.kept())
        if len(self.reports(sqs)) < len(self.expect.get("reports", [])) and hasattr(self, "failed_url"):
            return False
        return not self.records or self.last_name() == self.sequences.get(checkpoints.get(self.resource))

    def last_name(self):
        wanted = self.expect.get("checkpoints")
        return wanted[-1] if wanted else self.records[-1].name

    def reports(self, sqs):
        """The reports so far; each is taken once and kept."""
        if not hasattr(self, "found"):
            self.found = []
        if not hasattr(self, "failed_url"):
            return self.found
        while True:
            reply = sqs.call("ReceiveMessage", QueueUrl=self.failed_url, MaxNumberOfMessages=10, VisibilityTimeout=600)
            if not reply.get("Messages"):
                return self.found
            self.found += [json.loads(m["Body"]) for m in reply["Messages"]]

    # -- is it what was expected?

    def complain(self, what, wanted, seen):
        self.problems.append(f"{what}: wanted {json.dumps(wanted)}\n    but saw {json.dumps(seen)}")

    def agrees(self, wanted, call, start):
        wanted = {"records": wanted} if isinstance(wanted, str) else wanted
        names, seen = wanted.get("records", "").split(), list(call["records"])
        if "records" in wanted and (sorted(names) != sorted(seen) if self.any_order() else names != seen):
            return False
        if wanted.get("after", 0) > call["at"] - start + SLACK_MS:
            return False
        return all(call.get(k) == wanted[k] for k in ("receives", "state", "final", "early") if k in wanted)

    def any_order(self):
        return self.source == "sqs" or self.spec.get("any_order")

    def check_calls(self):
        wanted, calls = self.expect.get("invocations"), self.calls()
        if wanted is None:
            return
        start, left = self.sent_at, list(calls)
        for one in wanted:
            found = next((c for c in left if self.agrees(one, c, start)), None)
            if found is None or (found is not left[0] and not self.spec.get("unordered")):
                return self.complain("invocations", wanted, calls)
            left.remove(found)
        if left and not self.expect.get("and_so_on"):
            self.complain("invocations", wanted, calls)

    def told_report(self, report):
        info = report.get("KinesisBatchInfo") or report.get("DDBStreamBatchInfo")
        names = [r.name for r in self.records]
        first, last = (names.index(self.sequences[info[k]]) for k in ("startSequenceNumber", "endSequenceNumber"))
        told = {"condition": report["requestContext"]["condition"], "records": " ".join(names[first:last + 1]),
                "invoke_count": report["requestContext"]["approximateInvokeCount"]}
        told["error"] = report.get("responseContext", {}).get("functionError")
        assert info["batchSize"] == last - first + 1, report
        return told

    def check_reports(self, sqs):
        if not hasattr(self, "failed_url"):
            return
        wanted = self.expect.get("reports", [])
        told = [self.told_report(r) for r in self.reports(sqs)]
        good = len(wanted) == len(told) and all(
            told[i][k] == v for i, one in enumerate(wanted) for k, v in one.items() if k in told[i])
        if not good:
            self.complain("reports", wanted, told)
        for report, shape in zip(self.reports(sqs), self.expect.get("report_shapes", [])):
            match(shape, report, "report", self)

    def check_events(self):
        for shape, call in zip(self.expect.get("events", []), self.calls()):
            match(shape, json.loads(call["event"]), "event", self)
            self.check_field_order(shape, json.loads(call["event"]))

    def check_field_order(self, shape, seen):
        if isinstance(shape, dict) and isinstance(seen, dict) and list(shape) != list(seen):
            self.complain("order of fields", list(shape), list(seen))
        pairs = zip(shape, seen) if isinstance(shape, list) else [(shape[k], seen[k]) for k in shape if k in seen] \
            if isinstance(shape, dict) and isinstance(seen, dict) else []
        for a, b in pairs:
            self.check_field_order(a, b)

    def check_told(self, log):
        told = self.expect.get("told")
        if told and not any(told in e for e in log.get(self.trigger, [])):
            self.complain("log", told, log.get(self.trigger, []))

    def check(self, sqs, log):
        self.check_calls()
        self.check_reports(sqs)
        self.check_events()
        self.check_told(log)


def match(shape, seen, where, case):
    """A shape is JSON in which "*" is anything, "~TEXT" a text that begins so,
    "#" a text of digits, "=NAME" the sequence number of a record."""
    if shape == "*":
        return
    if isinstance(shape, dict) and isinstance(seen, dict):
        if set(shape) != set(seen):
            case.complain(where, sorted(shape), sorted(seen))
        for key in set(shape) & set(seen):
            match(shape[key], seen[key], f"{where}.{key}", case)
    elif isinstance(shape, list) and isinstance(seen, list) and len(shape) == len(seen):
        for i, (a, b) in enumerate(zip(shape, seen)):
            match(a, b, f"{where}[{i}]", case)
    elif isinstance(shape, str) and isinstance(seen, str) and shape[:1] in "~#=" and shape:
        good = {"~": lambda: seen.startswith(shape[1:]), "#": seen.isdigit,
                "=": lambda: case.sequences.get(seen) == shape[1:]}[shape[0]]()
        if not good:
            case.complain(where, shape, seen)
    elif shape != seen or type(shape) is not type(seen):
        case.complain(where, shape, seen)


class Run:
    """One worker with all the cases that run."""

    HEAD = """version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: "{store}"}}, checkpoint_interval: 50ms}}
triggers:
"""

    def __init__(self, stage, cases):
        self.stage, self.cases = stage, cases
        self.store = stage.path("state.db")
        _, port = stage.start_local()
        self.port, self.sqs, self.kinesis = port, stage.aws("sqs", port), stage.aws("kinesis", port)
        for index, case in enumerate(cases):
            case.place(index, stage)

    def config(self):
        text = self.HEAD.format(port=self.port, store=self.store)
        return text + "".join(c.trigger_text(self.stage.handler("scripted")) for c in self.cases)

    def send_first(self):
        for case in self.cases:
            case.create(self.sqs, self.kinesis)
            case.send([r for r in case.records if not r.at], self.sqs, self.kinesis)

    def send_later(self):
        """Each record at its time after the start."""
        start = time.monotonic()
        for case in self.cases:
            case.sent_at = start * 1000
        later = sorted(((r.at, c, r) for c in self.cases for r in c.records if r.at), key=lambda x: x[0])
        for at, case, record in later:
            time.sleep(max(0, start + at / 1000 - time.monotonic()))
            wait_until(lambda: len(case.calls()) >= record.after_calls, 30, f"{case.name}: calls before {record.name}")
            case.send([record], self.sqs, self.kinesis)

    def checkpoints(self):
        if not os.path.exists(self.store):
            return {}
        with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True) as store:
            rows = store.execute("SELECT stream, ckpt FROM lease").fetchall()
        store.close()
        return {self.stream_of(stream): ckpt for stream, ckpt in rows}

    @staticmethod
    def stream_of(name):
        """Leases are kept under the ARN or name of a stream and its creation."""
        return next((part for part in name.replace("/", ":").replace("@", ":").split(":")
                     if part[:1] == "c" and part[1:].isdigit()), name)

    def log(self):
        lines = {}
        with open(self.stage.path("pollard.log"), errors="replace") as f:
            for line in f:
                if line.startswith("{"):
                    event = json.loads(line)
                    lines.setdefault(event.get("trigger"), []).append(" ".join(str(v) for v in event.values()))
        return lines

    def go(self):
        self.send_first()
        pollard = self.stage.start_pollard(self.stage.write("pollard.yaml", self.config()))
        wait_until(lambda: pollard.poll() is not None or any(c.calls() for c in self.cases), 30, "a first call")
        assert pollard.poll() is None, "pollard ended"
        self.send_later()
        try:
            wait_until(self.is_done, SECONDS, "all cases are done")
        except AssertionError:
            pass  # each case says what it lacks
        assert stop(pollard) == 0
        log = self.log()
        for case in self.cases:
            case.check(self.sqs, log)

    def is_done(self):
        checkpoints = self.checkpoints()
        self.waits_for = [c for c in self.cases if not c.is_done(self.sqs, checkpoints)]
        return not self.waits_for


def refuse(stage, case):
    """A configuration that breaks a rule is refused, and the rule is told."""
    case.place(0, stage)
    path = stage.write("refused.yaml", "version: 1\ntriggers:\n" + case.trigger_text("a.so"))
    done = subprocess.run([stage.build + "/pollard", "run", "-c", path], capture_output=True, text=True, timeout=30)
    if done.returncode != 78 or case.spec["refused"] not in done.stderr:
        case.complain("refusal", case.spec["refused"], [done.returncode, done.stderr])


def main(build, topics):
    cases = load(topics)
    core_only = [c for c in cases if "core_only" in c.spec]
    refused = [c for c in cases if "refused" in c.spec]
    run = [c for c in cases if c not in core_only and c not in refused]
    with Stage(build) as stage:
        for case in refused:
            refuse(stage, case)
        if run:
            Run(stage, run).go()
        bad = [c for c in cases if c.problems]
        for case in bad:
            print(f"FAILED {case.topic}: {case.name} ({getattr(case, 'trigger', '')})")
            for problem in case.problems:
                print("  " + problem)
    print(f"conformance: {len(run)} cases run, {len(refused)} refusals, {len(core_only)} for the core only, "
          f"{len(bad)} failed")
    return len(bad) > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

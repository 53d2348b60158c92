"""One case of tests/conformance on a whole pollard: its trigger, its queue or
stream, and whether what happened is what the case expects.
"""
import base64
import json
import os
import time

from case_shape import document_differences, expand, is_masked
from stage import wait_until

SLACK_MS = 150  # between a receive and its call, when times are compared
REGION, ACCOUNT = "us-east-1", "000000000000"
LABEL = "2026-01-01T00:00:00.000"  # of DynamoDB streams
FIRST_SEQUENCE = 999999999999999999998  # of a DynamoDB shard: they grow in length too
HOUR_MS = 3600000


class Record:
    def __init__(self, spec, case, index):
        spec = {"name": spec} if isinstance(spec, str) else spec
        self.spec, self.name = spec, spec["name"]
        self.at, self.after_calls, self.life = spec.get("at", 0), spec.get("after_calls", 0), spec.get("life", 1)
        self.key = spec.get("key", "g" if case.is_fifo else "" if case.is_queue else self.name)
        self.shard = spec.get("shard", case.shards[0]["name"])
        data = spec.get("data", self.name)
        self.sequence = str(FIRST_SEQUENCE + index)  # DynamoDB's
        self.members = data if isinstance(data, dict) else {"NewImage": {"id": {"S": self.key}, "name": {"S": data}}}
        self.data = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
        self.known_as = self.sequence if case.source == "dynamodb" else self.data
        self.data += "." * (spec.get("size", 0) - len(self.data))
        self.arrived_ms = None  # where the test says so

    def dynamodb(self, base_ms):
        """As GetRecords answers it; the members in an order of the server's."""
        arrived_ms = time.time() * 1000 - self.spec.get("age", 0)
        if "arrives" in self.spec:
            arrived_ms = base_ms + self.spec["arrives"]
        self.arrived_ms = int(arrived_ms) // 1000 * 1000
        change = {"SequenceNumber": self.sequence, "SizeBytes": 26, "StreamViewType": "NEW_AND_OLD_IMAGES",
                  "ApproximateCreationDateTime": self.arrived_ms // 1000, "Keys": {"id": {"S": self.key}}}
        change.update(self.members)
        record = {"awsRegion": REGION, "dynamodb": change, "eventID": f"{int(self.sequence):032x}",
                  "eventName": self.spec.get("event", "INSERT"), "eventSource": "aws:dynamodb", "eventVersion": "1.1"}
        if "user_identity" in self.spec:
            record["userIdentity"] = self.spec["user_identity"]
        return record


class Servers:
    """What the cases' sources live on."""

    def __init__(self, sqs, kinesis, dynamodb, objects):
        self.sqs, self.kinesis, self.dynamodb, self.objects = sqs, kinesis, dynamodb, objects
        self.base_ms = (int(time.time() * 1000) // HOUR_MS - 1) * HOUR_MS  # records' `arrives` counts from here
        self.start_ms = None  # wall clock


class Queue:
    def __init__(self, case, servers):
        self.case, self.sqs = case, servers.sqs
        visibility = -(-case.spec.get("visibility", 2000) // 1000)
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if case.is_fifo else {}
        self.url = self.sqs.create_queue(case.resource, VisibilityTimeout=visibility, **fifo)

    def entry(self, number, record):
        entry = {"Id": str(number), "MessageBody": record.data}
        if self.case.is_fifo:
            entry["MessageGroupId"] = record.key
        if "message_attributes" in record.spec:
            entry["MessageAttributes"] = record.spec["message_attributes"]
        return entry

    def send(self, records):
        for i in range(0, len(records), 10):
            entries = [self.entry(n, r) for n, r in enumerate(records[i:i + 10])]
            reply = self.sqs.call("SendMessageBatch", QueueUrl=self.url, Entries=entries)
            assert not reply.get("Failed"), reply
            for done in reply["Successful"]:
                self.case.ids[done["MessageId"]] = records[i + int(done["Id"])].name

    def is_at_rest(self, _):
        return sum(self.sqs.counts(self.url)) == len(self.case.kept())


class KinesisStream:
    """A shard that others follow is split in two, or merged, once its records
    are in it."""

    def __init__(self, case, servers):
        self.case, self.kinesis = case, servers.kinesis
        self.kinesis.create_stream(case.resource, sum("parent" not in s for s in case.shards))
        self.names = {}  # of the service: the shard's, by the case's
        self.learn()

    def learn(self):
        for shard in self.kinesis.shards(self.case.resource):
            if shard["ShardId"] not in self.names.values():
                free = [s["name"] for s in self.case.shards if s["name"] not in self.names]
                self.names[free[0]] = shard["ShardId"]
        self.ranges = {s["ShardId"]: s["HashKeyRange"] for s in self.kinesis.shards(self.case.resource)}

    def split(self, parent):
        edge = self.ranges[self.names[parent]]
        middle = (int(edge["StartingHashKey"]) + int(edge["EndingHashKey"])) // 2
        self.kinesis.call("SplitShard", StreamName=self.case.resource, ShardToSplit=self.names[parent],
                          NewStartingHashKey=str(middle))
        wait_until(lambda: self.kinesis.stream_is_active(self.case.resource), 20, "the shard is split")
        self.learn()

    def send(self, records):
        for shard in self.case.shards:
            mine = [r for r in records if r.shard == shard["name"]]
            if mine and shard["name"] not in self.names:
                self.split(shard["parent"])
            self.put(mine)

    def put(self, records):
        if not records:
            return
        hash_key = self.ranges[self.names[records[0].shard]]["StartingHashKey"]
        entries = [{"Data": base64.b64encode(r.data.encode()).decode(), "PartitionKey": r.key,
                    **({"ExplicitHashKey": hash_key} if len(self.case.shards) > 1 else {})} for r in records]
        reply = self.kinesis.call("PutRecords", StreamName=self.case.resource, Records=entries)
        for record, done in zip(records, reply["Records"]):
            self.case.ids[done["SequenceNumber"]] = record.name

    def is_positioned(self, checkpoints):
        return self.case.resource in checkpoints

    def is_at_rest(self, checkpoints):
        return self.case.is_checkpointed(checkpoints, False)


class DynamodbStream:
    """A shard that others follow, or that says so, is closed once its records
    are in it."""

    def __init__(self, case, servers):
        self.case, self.server, self.base_ms = case, servers.dynamodb, servers.base_ms
        self.stream = self.server.stream(case.resource, LABEL, REGION, ACCOUNT)
        self.shards = {}

    def open(self, spec):
        parent = self.shards.get(spec.get("parent"))
        if parent:
            self.shards[spec["name"]] = self.server.rotate(self.stream, parent)
        elif spec["name"] not in self.shards:
            self.shards[spec["name"]] = self.server.shard(self.stream)
        self.names = {name: shard.name for name, shard in self.shards.items()}

    def send(self, records):
        with self.server.lock:
            self.put(records)

    def put(self, records):
        for spec in self.case.shards:
            if spec["name"] not in self.shards:
                self.open(spec)
            for record in records:
                if record.shard == spec["name"]:
                    self.case.ids[record.sequence] = record.name
                    self.server.put_record(self.shards[spec["name"]], record.dynamodb(self.base_ms))
        if self.case.shards[-1].get("closed") and len(self.case.ids) == len(self.case.records):
            self.server.disable(self.stream)

    def is_positioned(self, _):
        return any(a["StreamArn"] == self.stream.arn for _, a in self.server.seen("GetShardIterator"))

    def is_at_rest(self, checkpoints):
        return self.case.is_checkpointed(checkpoints, self.case.shards[-1].get("closed"))


class Case:
    def __init__(self, topic, spec):
        self.topic, self.spec = topic, spec
        self.name, self.source = spec["name"], spec["source"]
        self.expect = spec.get("expect", {})
        self.is_queue = self.source in ("sqs", "fifo")
        self.is_fifo = self.source == "fifo"
        self.shards = spec.get("shards", [{"name": "0"}])
        self.records = [Record(r, self, i) for i, r in enumerate(spec.get("records", []))]
        self.ids = {}  # message id or sequence number: the record's name
        self.found = []  # reports
        self.problems = []
        self.sent_at = 0
        self.life = 1

    def place(self, index, stage):
        """Which trigger it is, and where its things are."""
        self.trigger = f"c{index:03}"
        self.resource = self.trigger + (".fifo" if self.is_fifo else "")
        self.failed = f"failed-{self.trigger}"
        self.ledger = stage.path(f"{self.trigger}.jsonl")
        where = f"{REGION}:{ACCOUNT}"
        self.arn = {"kinesis": f"arn:aws:kinesis:{where}:stream/{self.resource}",
                    "dynamodb": f"arn:aws:dynamodb:{where}:table/{self.resource}/stream/{LABEL}",
                    }.get(self.source, f"arn:aws:sqs:{where}:{self.resource}")

    def reports_to(self, *places):
        return any(place in json.dumps(self.spec.get("settings", {})) for place in places)

    # -- its trigger, as a user writes it; JSON is YAML

    def settings(self, library):
        settings = {**self.spec.get("settings", {}), **(self.spec.get("restart", {}) if self.life > 1 else {})}
        text = json.dumps(settings).replace("$failed", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.failed}")
        settings = json.loads(text.replace("$bucket", f"arn:aws:s3:::{self.failed}"))
        if not self.is_queue and not self.spec.get("no_start"):
            settings.setdefault("starting_position", "TRIM_HORIZON")
        if self.is_queue:
            settings.setdefault("wait_time_seconds", 1)  # a stop waits for the poll
        timestamp = settings.get("starting_position_timestamp")
        if isinstance(timestamp, str) and timestamp.startswith("$at "):
            settings["starting_position_timestamp"] = (self.start_ms + int(timestamp[4:])) / 1000
        source = {"sqs": {"queue": self.resource}} if self.is_queue else {"arn": self.arn}
        return {"source": source, "handler": self.spec.get("handler_name", self.handler(library)), **settings}

    def handler(self, library):
        script = {"ledger": self.ledger, "handler": self.spec.get("handler", []),
                  "names": {r.known_as: r.name for r in self.records}, "events": "events" in self.expect}
        return {"library": library, "isolation": "thread", "timeout": self.spec.get("handler_timeout", "1s"),
                "settings": script}

    def trigger_text(self, library):
        lines = [f"  {self.trigger}:\n"]
        for key, value in self.settings(library).items():
            text = json.dumps(value, ensure_ascii=False)
            if key == "source" and "source_text" in self.spec:
                text = "{" + self.spec["source_text"] + "}"
            if text != "{}" or key != "source":
                lines.append(f"    {key}: {text}\n")
        return "".join(lines)

    # -- the server's side

    def create(self, servers):
        kinds = {"kinesis": KinesisStream, "dynamodb": DynamodbStream}
        self.servers = servers
        self.place_in = kinds.get(self.source, Queue)(self, servers)
        if self.reports_to("$failed"):
            self.failed_url = servers.sqs.create_queue(self.failed)

    def send(self, records):
        if records or not self.is_queue:
            self.place_in.send(records)

    def starts_now(self):
        return self.spec["settings"].get("starting_position") == "LATEST"

    def has_begun(self, checkpoints):
        """Where its reading begins is decided."""
        return self.place_in.is_positioned(checkpoints)

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

    def is_last_life(self):
        return "restart" not in self.spec or self.life > 1

    def is_done(self, checkpoints):
        """Nothing more can come, or what is to come has not."""
        if self.is_last_life() and len(self.calls()) < len(self.expect.get("invocations", [])):
            return False
        if self.reports_to("$failed", "$bucket") and len(self.reports()) < len(self.expect.get("reports", [])):
            return False
        return self.place_in.is_at_rest(checkpoints)

    def is_checkpointed(self, checkpoints, may_end):
        if not self.records:
            return True
        seen = checkpoints.get(self.resource, [])
        return self.last_name() in [self.ids.get(c) for c in seen] or (may_end and "SHARD_END" in seen)

    def last_name(self):
        wanted = self.expect.get("checkpoints")
        if wanted and self.is_last_life():
            return wanted[-1]
        return [r.name for r in self.records if r.life <= self.life][-1]

    def reports(self):
        """The texts of the reports so far; a queue's are taken once and kept."""
        if self.reports_to("$bucket"):
            self.found = [text for _, text in self.servers.objects.within(self.failed)]
        while self.reports_to("$failed"):
            reply = self.servers.sqs.call("ReceiveMessage", QueueUrl=self.failed_url, MaxNumberOfMessages=10,
                                          VisibilityTimeout=600)
            if not reply.get("Messages"):
                break
            self.found += [m["Body"] for m in reply["Messages"]]
        return self.found

    # -- is it what was expected?

    def complain(self, what, wanted, seen):
        self.problems.append(f"{what}: wanted {json.dumps(wanted)}\n    but saw {json.dumps(seen)[:3000]}")

    def agrees(self, wanted, call, start):
        wanted = {"records": wanted} if isinstance(wanted, str) else wanted
        names, seen = wanted.get("records", "").split(), list(call["records"])
        if "records" in wanted and (sorted(names) != sorted(seen) if self.any_order() else names != seen):
            return False
        if "after" in wanted and wanted["after"] > call["at"] - start + SLACK_MS:
            return False
        if "window" in wanted and [e - self.servers.base_ms for e in call["window"]] != wanted["window"]:
            return False
        return all(call.get(k) == wanted[k] for k in ("receives", "state", "final", "early") if k in wanted)

    def any_order(self):
        return self.source == "sqs" or self.spec.get("any_order")

    def check_calls(self):
        wanted, calls = self.expect.get("invocations"), self.calls()
        if wanted is None:
            return
        start, left = min([self.sent_at] + [c["at"] for c in calls]), list(calls)
        for one in wanted:
            found = next((c for c in left if self.agrees(one, c, start)), None)
            if found is None or (found is not left[0] and not self.spec.get("unordered")):
                return self.complain("invocations", wanted, calls)
            left.remove(found)
        if left and not self.expect.get("and_so_on"):
            self.complain("invocations", wanted, calls)

    def check_keys(self):
        """The records of each key in their order; each as often as it was called."""
        keys = {r.name: r.key for r in self.records}
        order = {r.name: i for i, r in enumerate(self.records)}
        seen = [name for call in self.calls() for name in call["records"]]
        for key in set(keys.values()) - {""}:
            mine = [name for name in dict.fromkeys(seen) if keys.get(name) == key]
            if mine != sorted(mine, key=order.get):
                self.complain(f"the order of key {key}", sorted(mine, key=order.get), mine)

    def check_at_once(self):
        least, most = self.expect.get("at_once", (0, 1000))
        seen = max([call["running"] for call in self.calls()], default=0)
        if not least <= seen <= most:
            self.complain("calls at once", [least, most], seen)

    def told_report(self, report):
        info = report.get("KinesisBatchInfo") or report.get("DDBStreamBatchInfo")
        names = [r.name for r in self.records]
        first, last = (names.index(self.ids[info[k]]) for k in ("startSequenceNumber", "endSequenceNumber"))
        told = {"condition": report["requestContext"]["condition"], "records": " ".join(names[first:last + 1]),
                "invoke_count": report["requestContext"]["approximateInvokeCount"]}
        told["error"] = report.get("responseContext", {}).get("functionError")
        assert info["batchSize"] == last - first + 1, report
        return told

    def check_reports(self):
        if not self.reports_to("$failed", "$bucket"):
            return
        wanted = self.expect.get("reports", [])
        told = [self.told_report(json.loads(r)) for r in self.reports()]
        good = len(wanted) == len(told) and all(
            told[i][k] == v for i, one in enumerate(wanted) for k, v in one.items() if k in told[i])
        if not good:
            self.complain("reports", wanted, told)

    def check_documents(self, what, shapes, texts):
        if len(texts) < len(shapes):
            self.complain(f"number of {what}s", len(shapes), len(texts))
        for i, (shape, text) in enumerate(zip(shapes, texts)):
            self.problems += document_differences(shape, text, self.word, f"{what}[{i}]")

    def word(self, name, argument):
        """What <name argument> means in a document."""
        known = {"arn": self.arn, "region": REGION, "function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.trigger}",
                 "role": f"arn:aws:iam::{ACCOUNT}:role/pollard"}
        if name == "event":
            return f"{int(self.word('id', argument)):032x}"
        if name == "id":
            return next((i for i, n in self.ids.items() if n == argument), f"no record {argument}")
        if name == "shard":
            return self.place_in.names[argument or self.shards[0]["name"]]
        if name == "arrives":
            return utc(self.servers.base_ms + int(argument))[:19] + "Z"
        if name in ("epoch", "ms", "seconds"):
            return self.arrival(name, next(r for r in self.records if r.name == argument))
        return known[name]

    @staticmethod
    def arrival(form, record):
        """What only the server knows is checked for its form."""
        if record.arrived_ms is None:
            return {"epoch": "<epoch>", "ms": "<time ms>"}[form]
        return {"epoch": record.arrived_ms / 1000, "ms": utc(record.arrived_ms),
                "seconds": utc(record.arrived_ms)[:19] + "Z"}[form]

    def check_objects(self):
        wanted = [expand(mask, self.word) for mask in self.expect.get("objects", [])]
        names = [name for name, _ in self.servers.objects.within(self.failed)]
        if len(wanted) != len(names) or not all(map(is_masked, wanted, names)):
            self.complain("objects", wanted, names)

    def check_told(self, log):
        told = self.expect.get("told")
        if told and not any(told in e for e in log.get(self.trigger, [])):
            self.complain("log", told, log.get(self.trigger, []))

    def check_metrics(self, metrics):
        for name, wanted in self.expect.get("metrics", {}).items():
            seen = metrics.get(self.trigger, {}).get(name)
            least, most = wanted if isinstance(wanted, list) else (wanted, wanted)
            if seen is None or not least <= seen <= most:
                self.complain(f"metric {name}", wanted, seen)

    def check(self, log, metrics):
        self.check_calls()
        self.check_keys()
        self.check_at_once()
        self.check_reports()
        self.check_documents("event", self.expect.get("events", []), [c.get("event") for c in self.calls()])
        self.check_documents("report", self.expect.get("documents", []), self.found)
        self.check_objects()
        self.check_told(log)
        self.check_metrics(metrics)


def utc(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}Z"

#!/usr/bin/env python3
"""Handlers that respond whatever comes to mind. A response that breaks the
rules fails its whole batch, is told with what is wrong, once in ten seconds,
and counted; nothing crashes, and once the handler is mended all is handled.
"""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from stage import wait_until  # noqa: E402
from whole import WholePollard  # noqa: E402

WholePollard.BUILD = sys.argv.pop(1)

LIMIT = 6 << 20
STRANGER = '{"itemIdentifier": "c3a5a1f0-7b0e-4f55-9f3e-000000000000"}'


def failures(entries):
    return ('{"batchItemFailures": %s}' % entries).encode()


BAD = {  # name: (what the handler responds, what is told)
    "text": (b"hello", "the response is not JSON"),
    "cut": (b'{"batchItemFailures": [', "the response is not JSON"),
    "twice": (b"{} {}", "the response is not JSON"),
    "comma": (b'{"batchItemFailures": [],}', "the response is not JSON"),
    "nul": (failures('[{"itemIdentifier": "a\0b"}]'), "the response is not JSON"),
    "nul-escaped": (failures('[{"itemIdentifier": "a\\u0000b"}]'), "is not in this batch"),
    "latin-1": (b'{"batchItemFailures": [{"itemIdentifier": "caf\xe9"}]}', "the response is not UTF-8 at byte 46"),
    "surrogate": (failures('[{"itemIdentifier": "\\ud800"}]'), "is not in this batch"),
    "utf-16": ("{}".encode("utf-16"), "the response is not UTF-8 at byte 0"),
    "binary": (os.urandom(64) + b"\xff", "the response is not"),
    "too-large": (b"{}" + b" " * (LIMIT - 1), "the response is over 6 MiB"),
    "deep-list": (b"[" * 10000 + b"]" * 10000, "the response is not JSON"),
    "deep-failures": (failures("[" * 10000 + "]" * 10000), "the response is not JSON"),
    "deep-elsewhere": (b'{"x": ' + b'{"x": ' * 10000 + b"1" + b"}" * 10001, "the response is not JSON"),
    "number": (b"7", "the response is a number, not an object"),
    "true": (b"true", "the response is a boolean, not an object"),
    "string": (b'"done"', "the response is a string, not an object"),
    "list": (b"[1]", "the response is a list, not an object"),
    "failures-text": (failures('"all"'), "batchItemFailures is a string, not a list"),
    "failures-object": (failures("{}"), "batchItemFailures is an object, not a list"),
    "failures-twice": (b'{"batchItemFailures": [], "batchItemFailures": []}', "batchItemFailures is there twice"),
    "entry-null": (failures("[null]"), "batchItemFailures[0] is null, not an object"),
    "entry-text": (failures('["id"]'), "batchItemFailures[0] is a string, not an object"),
    "entry-empty": (failures("[{}]"), "batchItemFailures[0] has no itemIdentifier"),
    "entry-other": (failures('[{"foo": "x"}]'), "batchItemFailures[0] has no itemIdentifier"),
    "id-number": (failures('[{"itemIdentifier": 123}]'), "itemIdentifier is a number, not a string"),
    "id-null": (failures('[{"itemIdentifier": null}]'), "itemIdentifier is null, not a string"),
    "id-empty": (failures('[{"itemIdentifier": ""}]'), "itemIdentifier is empty"),
    "id-list": (failures('[{"itemIdentifier": ["a"]}]'), "itemIdentifier is a list, not a string"),
    "id-of-another": (failures(f"[{STRANGER}]"), "batchItemFailures[0].itemIdentifier"),
    "id-long": (failures('[{"itemIdentifier": "%s"}]' % ("x" * 1000000)), '..." is not in this batch'),
    "id-escape": (failures('[{"itemIdentifier": "\\u001b[2Jrm"}]'), "is not in this batch"),
    "strangers": (failures("[" + ",".join([STRANGER] * 90000) + "]"), "is not in this batch"),
}
GOOD = {  # the batch is done
    "nothing": b"",
    "null": b"null",
    "empty-text": b'""',
    "empty-list": b"[]",
    "empty": b"{}",
    "none-failed": failures("[]"),
    "null-failed": failures("null"),
    "something-else": b'{"ok": true, "batchItemFailure": [{"itemIdentifier": "x"}]}',
    "spaces": b"{}" + b" " * (LIMIT - 2),
    "many-members": b"{" + b",".join(b'"k%d":0' % i for i in range(100000)) + b"}",
}


class Responses(WholePollard):
    def response_of(self, name):
        return self.stage.path("response-" + name)

    def respond(self, name, data):
        with open(self.response_of(name) + ".new", "wb") as f:
            f.write(data)
        os.rename(self.response_of(name) + ".new", self.response_of(name))

    def queue(self, name, data):
        url = self.sqs.create_queue(name, VisibilityTimeout=1)
        self.respond(name, data)
        self.sqs.send_all(url, [f"order-{name}"])
        return url, [f"source: {{sqs: {{queue: {name}}}}}", "wait_time_seconds: 1", *self.keys(name)]

    def stream(self, name, data):
        self.kinesis.create_stream(name, 1)
        self.respond(name, data)
        self.kinesis.put_all(name, [("k", f"click-{name}-{n}") for n in range(3)])
        return [f"source: {{kinesis: {{stream: {name}}}}}", "starting_position: TRIM_HORIZON",
                "retry_backoff: {base: 100ms, maximum: 200ms}", *self.keys(name)]

    def keys(self, name):
        return ["function_response_types: [ReportBatchItemFailures]",
                f"handler: {self.handler(response=self.response_of(name))}"]

    def log_is_json(self):
        with open(self.stage.path("pollard.log"), "rb") as log:
            for line in log.read().decode().splitlines():
                self.assertLess(len(line), 4096)
                json.loads(line)

    def assert_told(self, name, words):
        event = self.wait_event("handler.failed", trigger=name, what="response")
        self.assertIn(words, event["reason"])
        wait_until(lambda: self.counters(name)["pollard_responses_invalid_total"] > 0, 30, "it is counted")

    def test_of_queues(self):
        urls, triggers = {}, {}
        for name, data in [*((n, d) for n, (d, _) in BAD.items()), *GOOD.items()]:
            urls[name], triggers[f"q-{name}"] = self.queue(f"q-{name}", data)
        self.start(**triggers)
        for name, (_, words) in BAD.items():
            with self.subTest(name):
                self.assert_told(f"q-{name}", words)
        for name in GOOD:
            wait_until(lambda: sum(self.sqs.counts(urls[name])) == 0, 30, f"{name} is done")
            self.assertEqual(self.counters(f"q-{name}")["pollard_responses_invalid_total"], 0, name)
        for name in BAD:  # nothing was deleted
            self.assertEqual(sum(self.sqs.counts(urls[name])), 1, name)
            os.remove(self.response_of(f"q-{name}"))
        for name in BAD:
            wait_until(lambda: sum(self.sqs.counts(urls[name])) == 0, 60, f"{name} is done once mended")
        self.stop()
        self.log_is_json()

    def test_of_streams(self):
        names = {f"s-{name}": case for name, case in BAD.items()}
        self.start(**{name: self.stream(name, data) for name, (data, _) in names.items()})
        for name, (_, words) in names.items():
            with self.subTest(name):
                self.assert_told(name, words)
        name = "s-text"  # it is retried all the time, and spoken of now and then
        wait_until(lambda: self.counters(name)["pollard_responses_invalid_total"] >= 30, 60, "it is retried")
        told = len(self.events("handler.failed", trigger=name))
        self.assertLess(told, self.counters(name)["pollard_responses_invalid_total"] / 4)
        for name in names:
            self.assertEqual(self.counters(name)["pollard_records_done_total"], 0, name)
            os.remove(self.response_of(name))
        for name in names:
            wait_until(lambda: self.counters(name)["pollard_records_done_total"] == 3, 60, f"{name} is done once mended")
        self.stop()
        self.log_is_json()

    def test_of_tumbling_windows(self):
        """They must leave a state, which is an object."""
        bad = {
            "none": (b"{}", "must respond with a state, and did not"),
            "nothing": (b"", "must respond with a state, and did not"),
            "null": (b'{"state": null}', "must respond with a state, and did not"),
            "list": (b'{"state": [1]}', "state is a list, not an object"),
            "text": (b'{"state": "{}"}', "state is a string, not an object"),
            "twice": (b'{"state": {}, "state": {}}', "state is there twice"),
            "deep": (b'{"state": ' + b'{"x": ' * 10000 + b"1" + b"}" * 10001, "the response is not JSON"),
            "large": (b'{"state": {"x": "' + b"x" * LIMIT + b'"}}', "the response is over 6 MiB"),
        }
        names = {f"w-{name}": case for name, case in bad.items()}
        self.start(**{name: [*self.stream(name, data), "tumbling_window_in_seconds: 900"]
                      for name, (data, _) in names.items()})
        for name, (_, words) in names.items():
            with self.subTest(name):
                self.assert_told(name, words)
                self.assertEqual(self.counters(name)["pollard_records_done_total"], 0)
                self.respond(name, b'{"state": {"x": 1}}')
        for name in names:
            wait_until(lambda: self.counters(name)["pollard_records_done_total"] == 3, 60, f"{name} is done once mended")
        self.stop()
        self.log_is_json()

    def test_one_id_a_hundred_thousand_times(self):
        """It is in the batch: a record that failed, however often it is said."""
        keys = self.stream("clicks", b"{}")
        shard = self.kinesis.shards("clicks")[0]["ShardId"]
        start = self.kinesis.call("GetShardIterator", StreamName="clicks", ShardId=shard,
                                  ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        records = self.kinesis.call("GetRecords", ShardIterator=start)["Records"]
        second = '{"itemIdentifier": "%s"}' % records[1]["SequenceNumber"]
        self.respond("clicks", failures("[" + ",".join([second] * 70000) + "]"))
        self.start(clicks=keys)
        event = self.wait_event("handler.failed", trigger="clicks", what="records")
        self.assertEqual((event["records"], event["failed"]), (3, 1))
        wait_until(lambda: self.counters("clicks")["pollard_records_done_total"] == 1, 30, "what is before it is done")
        self.assertEqual(self.counters("clicks")["pollard_responses_invalid_total"], 0)
        os.remove(self.response_of("clicks"))
        wait_until(lambda: self.counters("clicks")["pollard_records_done_total"] == 3, 30, "all is done")
        self.assertEqual(self.ledger.data("clicks").count("click-clicks-0"), 1)
        self.stop()


if __name__ == "__main__":
    unittest.main(verbosity=1)

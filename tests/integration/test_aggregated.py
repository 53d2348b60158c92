#!/usr/bin/env python3
"""Records that the Kinesis Producer Library would have aggregated, and a whole
pollard that splits them: it stops and dies inside of them, and goes on there.
"""
import base64
import glob
import json
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from kpl import aggregate  # noqa: E402
from stage import Ledger, Stage, stop, wait_until  # noqa: E402

BUILD = sys.argv.pop(1)

CONFIG = """version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: {folder}/state.db}}, checkpoint_interval: 50ms}}
triggers:
  clicks:
    source: {{kinesis: {{stream: clicks{consumer}}}}}
    starting_position: TRIM_HORIZON
    deaggregate: auto
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger, {settings}}}}}
    {more}
"""


class Aggregated(unittest.TestCase):
    def setUp(self):
        self.stage = Stage(BUILD)
        self.addCleanup(lambda: self.stage.__exit__(self.failure(), None, None))
        self.ledger = Ledger(self.stage.path("ledger"))
        _, self.port = self.stage.start_local()
        self.kinesis = self.stage.aws("kinesis", self.port)
        self.kinesis.create_stream("clicks", 1)
        self.sent = 0

    def failure(self):
        return None if self._outcome.success else AssertionError

    def run_pollard(self, *more, settings="delay_ms: 0", name="pollard", consumer=""):
        text = CONFIG.format(port=self.port, folder=self.stage.folder, handler=self.stage.handler(),
                             settings=settings, consumer=consumer, more="\n    ".join(more))
        return self.stage.start_pollard(self.stage.write("pollard.yaml", text), name)

    def put(self, data, key="outer"):
        """One record. Returns its sequence number."""
        return self.kinesis.call("PutRecord", StreamName="clicks", PartitionKey=key,
                                 Data=base64.b64encode(data).decode())["SequenceNumber"]

    def put_parts(self, count, keys=5):
        """One record of so many parts, which go on counting."""
        parts = [(f"key-{n % keys}", f"click-{n}") for n in range(self.sent, self.sent + count)]
        self.sent += count
        return self.put(aggregate(parts))

    def data(self):
        return self.ledger.data("clicks")

    def raw(self):
        """The ledger as bytes: what stays whole is no text."""
        if not os.path.exists(self.stage.path("ledger")):
            return b""
        with open(self.stage.path("ledger"), "rb") as file:
            return file.read()

    def wait_handled(self, seconds=40):
        wanted = {f"click-{n}" for n in range(self.sent)}
        wait_until(lambda: set(self.data()) >= wanted, seconds, f"{self.sent} parts were handled")

    def checkpoint(self):
        """(sequence, how many of its parts) or None"""
        with sqlite3.connect(f"file:{self.stage.path('state.db')}?mode=ro", uri=True) as store:
            row = store.execute("SELECT ckpt, ckpt_sub FROM lease").fetchone()
        store.close()
        return row

    def wait_inside(self, sequence):
        """Until the checkpoint lies between two of its parts."""
        def inside():
            try:
                found = self.checkpoint()
            except sqlite3.Error:
                return None
            return found if found and found[0] == sequence and found[1] else None

        return wait_until(inside, 30, f"the checkpoint lies inside of {sequence}")

    def test_each_part_is_a_record_with_its_own_key_and_id(self):
        first = self.put(b"click-plain", key="plain")
        second = self.put_parts(12)
        third = self.put(b"click-last", key="last")
        pollard = self.run_pollard("batch_size: 5")
        self.wait_handled()
        wait_until(lambda: "click-last" in self.data(), 20, "the last record was handled")
        self.assertEqual(stop(pollard), 0)
        rows = [row[2:] for row in self.ledger.read()]
        self.assertEqual(rows, [(first, "plain", "click-plain")] +
                         [(f"{second}:{n}", f"key-{n % 5}", f"click-{n}") for n in range(12)] +
                         [(third, "last", "click-last")])
        self.assertEqual(self.checkpoint(), (third, 0))

    def test_a_clean_restart_inside_repeats_nothing(self):
        self.stop_inside_and_go_on("")

    def test_nor_by_enhanced_fan_out(self):
        self.stop_inside_and_go_on(", consumer: pushed, register_consumer: true")

    def stop_inside_and_go_on(self, consumer):
        sequences = [self.put_parts(40), self.put_parts(40)]
        for sequence in sequences:
            pollard = self.run_pollard("batch_size: 3", settings="delay_ms: 200", consumer=consumer)
            self.wait_inside(sequence)
            self.assertEqual(stop(pollard), 0)
            sub = self.checkpoint()
            self.assertEqual(sub[0], sequence)
            self.assertGreater(sub[1], 0)
            self.assertLess(len(self.data()), self.sent)
        pollard = self.run_pollard("batch_size: 7", consumer=consumer)
        self.wait_handled()
        self.put_parts(10)
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.data(), [f"click-{n}" for n in range(90)])

    def test_a_kill_inside_repeats_nothing_before_the_checkpoint(self):
        sequence = self.put_parts(60)
        pollard = self.run_pollard("batch_size: 4", settings="delay_ms: 200")
        self.wait_inside(sequence)
        pollard.kill()
        pollard.wait()
        _, done = self.checkpoint()
        self.assertIn(done, range(1, 60))
        handled = len(self.data())
        pollard = self.run_pollard("batch_size: 4", name="again")
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.data()[handled:], [f"click-{n}" for n in range(done, 60)])

    def test_the_part_that_fails_is_given_up_alone(self):
        os.mkdir(self.stage.path("reports"))
        parts = [("k", f"click-{n}") for n in range(9)]
        parts[4] = ("k", "bad-4")
        sequence = self.put(aggregate(parts))
        pollard = self.run_pollard(
            "batch_size: 9", "bisect_batch_on_function_error: true", "maximum_retry_attempts: 1",
            "retry_backoff: {base: 1ms, maximum: 2ms}",
            f"destination_config: {{on_failure: {{destination: \"file://{self.stage.path('reports')}/\"}}}}",
            settings="fail: bad, fail_times: 1000")
        wait_until(lambda: self.checkpoint_is(sequence), 30, "the whole record is handled")
        self.assertEqual(stop(pollard), 0)
        good = [f"click-{n}" for n in range(9) if n != 4]
        self.assertEqual(list(dict.fromkeys(self.data())), good, "all others are done, in order")
        self.assertEqual([self.data().count(text) for text in good[:4]], [1] * 4, "what was in front of it, once")
        reports = [name for name in glob.glob(self.stage.path("reports") + "/**", recursive=True)
                   if os.path.isfile(name)]
        self.assertEqual(len(reports), 1, reports)
        with open(reports[0]) as file:
            report = json.load(file)
        self.assertEqual(report["KinesisBatchInfo"]["startSequenceNumber"], sequence)
        self.assertEqual(report["KinesisBatchInfo"]["batchSize"], 1)
        payload = report["payload"]
        (record,) = (json.loads(payload) if isinstance(payload, str) else payload)["Records"]
        self.assertEqual(record["kinesis"]["subSequenceNumber"], 4)
        self.assertEqual(record["kinesis"]["sequenceNumber"], sequence)
        self.assertEqual(base64.b64decode(record["kinesis"]["data"]), b"bad-4")
        self.assertTrue(record["eventID"].endswith(f":{sequence}:4"))

    def checkpoint_is(self, sequence):
        try:
            return self.checkpoint() == (sequence, 0)
        except sqlite3.Error:
            return False

    def test_filters_and_lanes_are_of_parts(self):
        for first in range(0, 400, 40):
            self.put(aggregate([(f"key-{n % 7}", json.dumps({"n": n, "even": n % 2 == 0}))
                                for n in range(first, first + 40)]), key="outer")
        pollard = self.run_pollard(
            "batch_size: 10", "parallelization_factor: 4",
            "filter_criteria: {filters: [{pattern: '{\"data\": {\"even\": [true]}}'}]}")
        wait_until(lambda: len(self.data()) >= 200, 30, "all that the filter wants was handled")
        self.assertEqual(stop(pollard), 0)
        last = {}
        for _, _, _, key, text in self.ledger.read():
            number = json.loads(text)["n"]
            self.assertEqual((number % 2, f"key-{number % 7}"), (0, key))
            self.assertGreater(number, last.get(key, -1), "the order of one key")
            last[key] = number
        self.assertEqual(len(self.data()), 200)
        last_sequence, sub = self.checkpoint()
        self.assertEqual(sub, 0, "all of the last record is handled")
        self.assertTrue(last_sequence)

    def test_a_filter_sees_the_event_id_of_a_part(self):
        self.put_parts(15)
        self.put(b"click-plain")
        pollard = self.run_pollard(
            "filter_criteria: {filters: [{pattern: '{\"eventID\": [{\"suffix\": \":4\"}]}'}]}")
        wait_until(lambda: self.data(), 30, "the part was handled")
        self.put(b"click-plain")
        sequence = self.put_parts(6)
        wait_until(lambda: self.checkpoint_is(sequence), 30, "all is handled")
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.data(), ["click-4", "click-19"])

    def test_what_is_broken_stays_whole_and_stops_nobody(self):
        whole = aggregate([("k", "click-x"), ("k", "click-y")])
        self.put(whole[:-1] + bytes([whole[-1] ^ 1]), key="broken")
        self.put(whole[:4] + b"garbage that is long enough", key="broken")
        self.put_parts(3)
        pollard = self.run_pollard()
        wait_until(lambda: b"\tclick-2\n" in self.raw(), 30, "the parts behind it were handled")
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.raw().count(b"\tbroken\t"), 2)
        self.assertEqual(self.raw().count(b"\tclick-"), 3)
        self.assertTrue(self.stage.log_events("pollard", "kinesis.not_split"))

    def test_off_leaves_them_whole(self):
        self.put(aggregate([("k", "click-x")]))
        text = CONFIG.format(port=self.port, folder=self.stage.folder, handler=self.stage.handler(),
                             settings="delay_ms: 0", consumer="", more="").replace("deaggregate: auto", "deaggregate: off")
        pollard = self.stage.start_pollard(self.stage.write("pollard.yaml", text))
        wait_until(lambda: b"\touter\t\xf3\x89\x9a\xc2" in self.raw(), 20, "it came as it is")
        self.assertEqual(stop(pollard), 0)


if __name__ == "__main__":
    unittest.main(verbosity=1)

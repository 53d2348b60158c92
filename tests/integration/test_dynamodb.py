#!/usr/bin/env python3
"""A whole pollard reads DynamoDB streams from a server that follows a script:
what DynamoDB Local and moto cannot be made to do. Shards rotate, data is
trimmed, iterators expire, streams are disabled and made anew; no change is
skipped, and those of one item stay in their order.
"""
import os
import re
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from dynamodb_streams import DynamodbStreams, Refusal  # noqa: E402
from stage import Ledger, Stage, stop, wait_until  # noqa: E402

BUILD = sys.argv.pop(1)

CONFIG = """version: 1
aws: {{region: eu-west-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: {folder}/state.db}}, heartbeat: 200ms, checkpoint_interval: 50ms}}
triggers:
  orders:
    source: {{dynamodb: {source}}}
    starting_position: {start}
    on_trimmed_data: {trimmed}
    parallelization_factor: {factor}
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger}}}}
"""


class Dynamodb(unittest.TestCase):
    def setUp(self):
        self.stage = Stage(BUILD)
        self.addCleanup(lambda: self.stage.__exit__(self.failure(), None, None))
        self.ledger = Ledger(self.stage.path("ledger"))
        self.server = DynamodbStreams()
        self.addCleanup(self.server.close)
        self.stream = self.server.stream("orders", "2026-11-22T10:00:00.000")
        self.numbers = {}  # key: its last number
        self.wanted = []   # (key, number), as they were put
        self.runs = 0

    def failure(self):
        return None if self._outcome.success else AssertionError

    def put(self, shard, count, keys=5, age_s=0):
        for n in range(count):
            key = f"item-{n % keys}"
            self.numbers[key] = self.numbers.get(key, 0) + 1
            self.server.put(shard, key, self.numbers[key], age_s)
            self.wanted.append((key, self.numbers[key]))

    def run_pollard(self, source="{table: orders}", start="TRIM_HORIZON", trimmed="skip", factor=1):
        self.runs += 1
        self.name = f"pollard-{self.runs}"
        config = self.stage.write("pollard.yaml", CONFIG.format(
            port=self.server.port, folder=self.stage.folder, source=source, start=start, trimmed=trimmed,
            factor=factor, handler=self.stage.handler()))
        return self.stage.start_pollard(config, self.name)

    def handled(self):
        """(key, number) as the handler saw them."""
        found = []
        for row in self.ledger.read():
            match = re.search(r'"NewImage":{"id":{"S":"([^"]+)"},"n":{"N":"(\d+)"}', row[4])
            found.append((match.group(1), int(match.group(2))))
        return found

    def wait_handled(self, wanted=None, seconds=30):
        wanted = set(self.wanted if wanted is None else wanted)
        wait_until(lambda: set(self.handled()) >= wanted, seconds, f"{len(wanted)} changes were handled")

    def assert_in_order(self):
        last = {}
        for key, number in dict.fromkeys(self.handled()):
            self.assertGreater(number, last.get(key, 0), key)
            last[key] = number

    def log(self, event):
        return self.stage.log_events(self.name, event)

    def states(self):
        """{(stream's label, shard): state}"""
        with sqlite3.connect(f"file:{self.stage.path('state.db')}?mode=ro", uri=True) as store:
            rows = store.execute("SELECT stream, shard, state FROM lease").fetchall()
        store.close()
        return {(stream.split("/")[-1], shard): state for stream, shard, state in rows}

    def test_generations_are_read_parents_first(self):
        """A day's worth of rotated shards; the oldest one's parent is trimmed."""
        shard = self.server.shard(self.stream, parent="shardId-00000000000000000000-00000000")
        for _ in range(5):
            self.put(shard, 40)
            shard = self.server.rotate(self.stream, shard)
        self.put(shard, 40)
        pollard = self.run_pollard()
        self.wait_handled()
        wait_until(lambda: len(self.log("shard.ended")) == 5, 20, "five shards have ended")
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted)
        pages = [a for _, a in self.server.seen("DescribeStream") if "ExclusiveStartShardId" in a]
        self.assertTrue(pages, "a listing has several pages")

    def test_shards_rotate_under_load(self):
        """A child becomes visible only after its parent has ended."""
        shard = self.server.shard(self.stream)
        self.put(shard, 50)
        pollard = self.run_pollard(factor=4)
        self.wait_handled()
        for _ in range(2):
            self.put(shard, 50)
            child = self.server.rotate(self.stream, shard, is_listed=False)
            self.put(child, 50)
            listings = len(self.server.seen("DescribeStream"))
            wait_until(lambda: len(self.server.seen("DescribeStream")) > listings + 1, 20, "it looks for the child")
            child.is_listed = True
            self.wait_handled()
            shard = child
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(sorted(self.handled()), sorted(self.wanted))
        self.assert_in_order()

    def test_a_restart_goes_on_behind_the_checkpoint(self):
        shard = self.server.shard(self.stream)
        self.put(shard, 30)
        pollard = self.run_pollard()
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.put(shard, 30)
        pollard = self.run_pollard(source=f'{{stream_arn: "{self.stream.arn}"}}')
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted)

    def test_trouble_costs_no_change(self):
        shard = self.server.shard(self.stream)
        self.put(shard, 20)
        self.server.fail_next("ListStreams", Refusal("InternalServerError", 500))
        self.server.fail_next("DescribeStream", Refusal("ThrottlingException"))
        self.server.fail_next("GetRecords", "damage", Refusal("ExpiredIteratorException"),
                              Refusal("InternalServerError", 500), Refusal("LimitExceededException"))
        pollard = self.run_pollard()
        self.wait_handled()
        self.server.fail_next("GetShardIterator", Refusal("LimitExceededException"))
        self.server.expire_iterators()
        self.put(shard, 20)
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted)
        self.assertIn("x-amz-crc32", self.log("dynamodb.trouble")[0]["error"])

    def trim_behind_the_checkpoint(self):
        """A worker that was down for too long."""
        shard = self.server.shard(self.stream)
        self.put(shard, 10)
        pollard = self.run_pollard()
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.put(shard, 10)
        self.server.trim(shard, 15)
        return shard

    def test_trimmed_data_is_skipped_and_said(self):
        self.trim_behind_the_checkpoint()
        pollard = self.run_pollard()
        self.wait_handled(self.wanted[15:])
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted[:10] + self.wanted[15:])
        said = self.log("shard.trimmed")
        self.assertEqual(len(said), 1)
        self.assertEqual(said[0]["level"], "error")
        self.assertIn("TrimmedDataAccessException", said[0]["error"])
        self.assertRegex(said[0]["after"], r"^\d{21}$")

    def test_trimmed_data_can_stop_a_shard(self):
        self.trim_behind_the_checkpoint()
        other = self.server.shard(self.stream)
        self.put(other, 10, keys=1)
        pollard = self.run_pollard(trimmed="stop")
        self.wait_handled(self.wanted[20:])
        wait_until(lambda: self.log("shard.failed"), 20, "the shard's failure is said")
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted[:10] + self.wanted[20:])
        self.assertIn("TrimmedDataAccessException", self.log("shard.failed")[0]["error"])
        self.assertFalse(self.log("shard.trimmed"))

    def test_a_shard_that_is_listed_but_gone_holds_nobody_up(self):
        parent = self.server.shard(self.stream)
        self.put(parent, 5)
        child = self.server.rotate(self.stream, parent)
        self.put(child, 5)
        parent.is_gone = True
        pollard = self.run_pollard()
        self.wait_handled(self.wanted[5:])
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted[5:])
        self.assertEqual(self.log("shard.lost")[0]["shard"], parent.name)

    def test_latest_means_the_first_start(self):
        """What came before is never seen; what comes while the worker is down,
        before it saw anything, is not lost."""
        old = self.server.shard(self.stream)
        self.put(old, 5, age_s=7200)
        shard = self.server.rotate(self.stream, old)
        self.put(shard, 5, age_s=3600)
        pollard = self.run_pollard(start="LATEST")
        wait_until(lambda: len(self.server.seen("GetRecords")) > 3, 20, "it reads")
        self.assertEqual(stop(pollard), 0)
        self.put(shard, 5)
        pollard = self.run_pollard(start="LATEST")
        self.wait_handled(self.wanted[10:])
        shard = self.server.rotate(self.stream, shard)
        self.put(shard, 5)
        self.wait_handled(self.wanted[10:])
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted[10:])
        kinds = [a["ShardIteratorType"] for _, a in self.server.seen("GetShardIterator")]
        self.assertEqual(kinds.count("LATEST"), 2, "once for each shard there was")

    def test_a_tables_next_stream_is_followed(self):
        """The old stream is read to its end first, and the new one from its
        beginning, though the trigger began with LATEST."""
        shard = self.server.shard(self.stream)
        pollard = self.run_pollard(start="LATEST")
        wait_until(lambda: self.server.seen("GetRecords"), 20, "it reads")
        self.put(shard, 20)
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.put(shard, 20)
        self.server.disable(self.stream)
        pollard = self.run_pollard(start="LATEST")
        self.wait_handled()
        wait_until(lambda: self.log("stream.closed"), 20, "it says that the stream is closed")
        successor = self.server.stream("orders", "2026-11-22T12:00:00.000")
        shard = self.server.shard(successor)
        self.put(shard, 20)
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted)
        self.assertEqual(sorted(label for label, _ in self.states()), [self.stream.label, successor.label])

    def test_the_old_stream_is_read_first(self):
        """Both are there when the worker comes back."""
        shard = self.server.shard(self.stream)
        self.put(shard, 5)
        pollard = self.run_pollard()
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.put(shard, 30)
        self.server.disable(self.stream)
        successor = self.server.stream("orders", "2026-11-22T12:00:00.000")
        self.put(self.server.shard(successor), 30)
        pollard = self.run_pollard()
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted)

    def test_a_shard_is_read_four_times_a_second_at_most(self):
        shard = self.server.shard(self.stream)
        self.put(shard, 2500)
        pollard = self.run_pollard()
        self.wait_handled()
        seen = len(self.server.seen("GetRecords"))
        wait_until(lambda: len(self.server.seen("GetRecords")) >= seen + 6, 20, "it reads on")
        self.assertEqual(stop(pollard), 0)
        times = [at for at, _ in self.server.seen("GetRecords")]
        for first, fifth in zip(times, times[4:]):
            self.assertGreater(fifth - first, 0.9, "four reads a second, idle or behind")

    def test_validate_asks_the_server(self):
        self.server.shard(self.stream)
        stop(self.run_pollard())  # for its file
        config = self.stage.path("pollard.yaml")

        def validate(name):
            process = self.stage.start(name, [self.stage.build + "/pollard", "validate", "--online", "-c", config], {
                "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret"})
            process.wait(30)
            with open(self.stage.path(name + ".log")) as f:
                return process.returncode, f.read()

        self.assertEqual(validate("good")[0], 0)
        self.server.disable(self.stream)
        code, said = validate("disabled")
        self.assertNotEqual(code, 0)
        self.assertIn(f"the stream {self.stream.arn} is disabled", said)
        self.server.streams.clear()
        code, said = validate("none")
        self.assertNotEqual(code, 0)
        self.assertIn("table orders: it has no stream", said)


if __name__ == "__main__":
    unittest.main(verbosity=1)

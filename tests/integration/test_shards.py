#!/usr/bin/env python3
"""Workers that share the shards of a stream through one store file: they split
them, take over from each other, and lose or repeat nothing they need not.
"""
import os
import signal
import sqlite3
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from stage import AwsError, Ledger, Stage, stop, wait_until  # noqa: E402

BUILD = sys.argv.pop(1)

CONFIG = """version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: {folder}/state.db}}, lease_duration: {lease}, heartbeat: {heartbeat}, checkpoint_interval: 100ms}}
triggers:
  clicks:
    source: {{kinesis: {{stream: clicks}}}}
    starting_position: {start}
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger, delay_ms: {delay_ms}}}}}
"""


class Shards(unittest.TestCase):
    def setUp(self):
        self.stage = Stage(BUILD)
        self.addCleanup(lambda: self.stage.__exit__(self.failure(), None, None))
        self.ledger = Ledger(self.stage.path("ledger"))
        _, self.port = self.stage.start_local()
        self.kinesis = self.stage.aws("kinesis", self.port)
        self.sent = 0

    def failure(self):
        return None if self._outcome.success else AssertionError

    def config(self, start="TRIM_HORIZON", lease="10s", heartbeat="500ms", delay_ms=0):
        text = CONFIG.format(port=self.port, folder=self.stage.folder, start=start, lease=lease, heartbeat=heartbeat,
                             delay_ms=delay_ms, handler=self.stage.handler())
        self.path = self.stage.write("pollard.yaml", text)

    def worker(self, name):
        return self.stage.start_pollard(self.path, name)

    def put(self, count):
        """`count` more records, spread over the shards. A key's records carry
        rising numbers."""
        rows = [(f"key-{n % 40}", f"click-{n}") for n in range(self.sent, self.sent + count)]
        self.sent += count
        self.kinesis.put_all("clicks", rows)

    def data(self):
        return self.ledger.data("clicks")

    def wait_handled(self, seconds=40):
        wanted = {f"click-{n}" for n in range(self.sent)}
        wait_until(lambda: set(self.data()) >= wanted, seconds, f"{self.sent} records were handled")

    def assert_ordered(self):
        """Each key's records were seen for the first time in their order."""
        seen, last = set(), {}
        for _, _, _, key, data in self.ledger.read():
            if data in seen:
                continue
            seen.add(data)
            number = int(data.split("-")[1])
            self.assertGreater(number, last.get(key, -1), f"{data} of {key}")
            last[key] = number

    def leases(self):
        """{shard: (process, checkpoint, state)}"""
        with sqlite3.connect(f"file:{self.stage.path('state.db')}?mode=ro", uri=True) as store:
            rows = store.execute("SELECT shard, owner, ckpt, state FROM lease WHERE app='pollard/clicks'").fetchall()
        store.close()
        return {shard: (owner.split(":")[1] if owner else None, ckpt, state) for shard, owner, ckpt, state in rows}

    def held(self, process):
        return sum(owner == str(process.pid) for owner, _, _ in self.leases().values())

    def wait_held(self, process, count, seconds=30):
        def holds():
            try:
                return self.held(process) == count
            except sqlite3.Error:
                return False

        wait_until(holds, seconds, f"process {process.pid} holds {count} shards")

    def freeze(self, process):
        """SIGSTOP, but not in the middle of a write: that would hold the
        store's lock, and everybody would wait for as long as it sleeps."""
        def frozen():
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            store = sqlite3.connect(self.stage.path("state.db"), timeout=0.5, isolation_level=None)
            try:
                store.execute("BEGIN IMMEDIATE")
                store.execute("ROLLBACK")
                return True
            except sqlite3.Error:
                process.send_signal(signal.SIGCONT)
                return False
            finally:
                store.close()

        wait_until(frozen, 20, f"process {process.pid} sleeps")

    def test_two_share_and_one_takes_over_from_the_killed(self):
        self.kinesis.create_stream("clicks", 4)
        self.config()
        one = self.worker("one")
        self.wait_held(one, 4)
        two = self.worker("two")
        self.wait_held(two, 2)
        self.assertEqual(self.held(one), 2)
        self.put(2000)
        self.wait_handled()
        one.kill()
        one.wait()
        killed = time.monotonic()
        self.put(2000)
        self.wait_held(two, 4)
        print(f"taken over after {time.monotonic() - killed:.2f} s", file=sys.stderr)
        self.wait_handled()
        self.assert_ordered()
        self.assertEqual(stop(two), 0)
        self.assertEqual({owner for owner, _, _ in self.leases().values()}, {None})

    def test_a_third_worker_and_stops_move_the_fewest(self):
        self.kinesis.create_stream("clicks", 6)
        self.config()
        workers = [self.worker("one")]
        self.wait_held(workers[0], 6)
        for name, each in ("two", 3), ("three", 2):
            workers.append(self.worker(name))
            for worker in workers:
                self.wait_held(worker, each)
        self.put(3000)
        self.wait_handled()
        self.assertEqual(stop(workers[0]), 0)
        self.wait_held(workers[1], 3)
        self.wait_held(workers[2], 3)
        self.put(3000)
        self.wait_handled()
        self.assert_ordered()
        # Hand-overs are clean: nothing was read twice.
        self.assertEqual(len(self.data()), self.sent)

    def test_a_restart_goes_on_where_it_stopped(self):
        self.kinesis.create_stream("clicks", 2)
        self.config()
        for _ in range(3):
            worker = self.worker("one")
            self.put(1000)
            self.wait_handled()
            self.assertEqual(stop(worker), 0)
        self.assertEqual(len(self.data()), self.sent)

    def test_latest_skips_the_past_and_nothing_else(self):
        self.kinesis.create_stream("clicks", 2)
        self.put(100)
        self.config(start="LATEST", delay_ms=200)
        worker = self.worker("one")
        self.wait_held(worker, 2)
        worker.kill()  # before its first checkpoint
        worker.wait()
        self.put(100)
        worker = self.worker("one")
        wanted = {f"click-{n}" for n in range(100, 200)}
        wait_until(lambda: set(self.data()) >= wanted, 30, "what came later was handled")
        self.assertEqual(set(self.data()), wanted)
        self.assertEqual(stop(worker), 0)

    def test_splits_and_merges_between_two_workers(self):
        self.kinesis.create_stream("clicks", 2)
        self.config()
        one, two = self.worker("one"), self.worker("two")
        self.wait_held(one, 1)
        self.wait_held(two, 1)
        self.put(1000)
        first, second = sorted(self.kinesis.shards("clicks"), key=lambda shard: shard["ShardId"])
        low = int(first["HashKeyRange"]["StartingHashKey"])
        high = int(first["HashKeyRange"]["EndingHashKey"])
        self.kinesis.call("SplitShard", StreamName="clicks", ShardToSplit=first["ShardId"],
                          NewStartingHashKey=str((low + high) // 2))
        wait_until(lambda: self.kinesis.stream_is_active("clicks"), 20, "the split is done")
        self.put(1000)
        self.wait_handled()
        opened = [shard for shard in self.kinesis.shards("clicks")
                  if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
        opened.sort(key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))
        self.kinesis.call("MergeShards", StreamName="clicks", ShardToMerge=opened[-2]["ShardId"],
                          AdjacentShardToMerge=opened[-1]["ShardId"])
        wait_until(lambda: self.kinesis.stream_is_active("clicks"), 20, "the merge is done")
        self.put(1000)
        self.wait_handled()
        self.assert_ordered()
        wait_until(lambda: sum(state for _, _, state in self.leases().values()) == 3, 20, "three shards ended")
        self.wait_held(one, 1)
        self.wait_held(two, 1)

    def test_a_stream_created_anew_is_read_from_its_beginning(self):
        self.kinesis.create_stream("clicks", 1)
        self.config()
        worker = self.worker("one")
        self.put(50)
        self.wait_handled()
        only = self.kinesis.shards("clicks")[0]["ShardId"]
        self.kinesis.call("SplitShard", StreamName="clicks", ShardToSplit=only, NewStartingHashKey=str(1 << 127))
        wait_until(lambda: self.leases()[only][2] == 1, 20, "the parent ended")
        self.kinesis.call("DeleteStream", StreamName="clicks")
        wait_until(lambda: not self.stream_exists(), 20, "the stream is gone")
        time.sleep(1)  # creation times have whole seconds
        self.kinesis.create_stream("clicks", 1)
        self.put(50)
        self.wait_handled()
        self.assertEqual(stop(worker), 0)
        self.assertEqual(len(self.data()), self.sent)
        self.assertTrue(self.stage.log_events("one", "stream.recreated"))

    def stream_exists(self):
        try:
            return bool(self.kinesis.shards("clicks"))
        except AwsError:
            return False

    def test_a_worker_that_sleeps_loses_its_shards_and_its_say(self):
        self.kinesis.create_stream("clicks", 2)
        self.config(lease="3s", heartbeat="300ms")
        one = self.worker("one")
        self.wait_held(one, 2)
        self.put(500)
        self.wait_handled()
        two = self.worker("two")
        self.wait_held(two, 1)
        self.freeze(one)
        self.put(500)
        self.wait_held(two, 2)
        self.wait_handled()
        before = self.leases()
        one.send_signal(signal.SIGCONT)
        self.wait_held(one, 1)
        self.put(500)
        self.wait_handled()
        self.assert_ordered()
        for shard, (_, checkpoint, _) in self.leases().items():
            self.assertGreaterEqual(int(checkpoint), int(before[shard][1]))
        self.assertTrue(self.stage.log_events("one", "session.lost"))


if __name__ == "__main__":
    unittest.main(verbosity=1)

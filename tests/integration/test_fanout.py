#!/usr/bin/env python3
"""A whole pollard is pushed records by a server that follows a script: what
kinesis-mock cannot be made to do. Whatever happens to a subscription, each
record comes once and in its order, and none is skipped.
"""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from kinesis_fanout import KinesisFanout, Refusal, event  # noqa: E402
from stage import Ledger, Stage, free_port, stop, wait_until  # noqa: E402

BUILD = sys.argv.pop(1)
MIB = 1024 * 1024

CONFIG = """version: 1
aws: {{region: eu-west-1, endpoint_url: "{url}"{aws}}}
store: {{sqlite: {{path: {folder}/state.db}}, heartbeat: 200ms, checkpoint_interval: 50ms}}
triggers:
  clicks:
    source: {source}
    starting_position: TRIM_HORIZON
    handler: {{library: {handler}, isolation: thread, timeout: 10m,
              settings: {{path: {folder}/ledger, delay_ms: {delay_ms}}}}}
"""
NAMED = "{kinesis: {stream: clicks, consumer: pushed}}"
REGISTERED = "{kinesis: {stream: clicks, consumer: pushed, register_consumer: true}}"


class Fanout(unittest.TestCase):
    def setUp(self):
        self.stage = Stage(BUILD)
        self.addCleanup(lambda: self.stage.__exit__(self.failure(), None, None))
        self.ledger = Ledger(self.stage.path("ledger"))
        self.wanted = []
        self.runs = 0

    def failure(self):
        return None if self._outcome.success else AssertionError

    def open_server(self, **options):
        self.server = KinesisFanout(**options)
        self.addCleanup(self.server.close)
        self.url, self.aws = f"http://127.0.0.1:{self.server.port}", ""

    def put_http2_in_front(self):
        port = free_port()
        key, certificate = self.stage.path("key.pem"), self.stage.path("certificate.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                        certificate, "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        self.stage.start_server("nghttpx", [
            "nghttpx", "--conf=/dev/null", "--no-ocsp", f"-f127.0.0.1,{port}", f"-b127.0.0.1,{self.server.port}",
            "--accesslog-file=" + self.stage.path("access"), "--accesslog-format=$alpn $status", key, certificate],
            port)
        self.url, self.aws = f"https://127.0.0.1:{port}", f", ca_bundle: {certificate}"

    def put(self, shard, count):
        for _ in range(count):
            data = f"n{len(self.wanted):05d}"
            self.server.put(shard, f"key-{len(self.wanted) % 5}", data)
            self.wanted.append(data)

    def run_pollard(self, source=NAMED, delay_ms=0):
        self.runs += 1
        self.name = f"pollard-{self.runs}"
        config = self.stage.write("pollard.yaml", CONFIG.format(
            url=self.url, aws=self.aws, folder=self.stage.folder, source=source, delay_ms=delay_ms,
            handler=self.stage.handler()))
        return self.stage.start_pollard(config, self.name)

    def handled(self):
        return [row[4] for row in self.ledger.read()]

    def wait_handled(self, seconds=60):
        wait_until(lambda: set(self.handled()) >= set(self.wanted), seconds, f"{len(self.wanted)} records were handled")

    def log(self, event_name):
        return self.stage.log_events(self.name, event_name)

    def run_through_trouble(self, *faults):
        self.server.register()
        shard = self.server.shard()
        self.put(shard, 25)
        self.server.fail_next(*faults)
        pollard = self.run_pollard()
        wait_until(lambda: not self.server.faults, 60, "all has gone wrong that should")
        self.put(shard, 25)
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted)
        return self.log("kinesis.trouble")

    def test_damage_costs_no_record(self):
        self.open_server()
        said = self.run_through_trouble("bit", "prelude", "giant", "nonsense", "cut", "end")
        self.assertIn("checksum", said[0]["error"])

    def test_refusals_cost_no_record(self):
        self.open_server()
        self.run_through_trouble(Refusal("LimitExceededException"), Refusal("InternalFailureException", 500),
                                 Refusal("", 503), "InternalFailureException", "KMSThrottlingException",
                                 "ResourceInUseException")

    def test_the_same_over_http2(self):
        self.open_server()
        self.put_http2_in_front()
        self.run_through_trouble("bit", "cut", "end", "InternalFailureException", Refusal("LimitExceededException"))
        with open(self.stage.path("access")) as access:
            protocols = {line.split()[0] for line in access}
        self.assertIn("h2", protocols)

    def reshard(self):
        self.server.register()
        parent = self.server.shard()
        self.put(parent, 30)
        pollard = self.run_pollard()
        self.wait_handled()
        self.put(parent, 30)
        before = set(self.wanted)
        for child in [self.server.shard(parent.name), self.server.shard(parent.name)]:
            self.put(child, 20)
        self.wait_handled()
        wait_until(lambda: self.log("kinesis.shard_ended"), 20, "the parent's end is said")
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(sorted(self.handled()), sorted(self.wanted))
        self.assertEqual(set(self.handled()[:60]), before)

    def test_children_follow_their_parent(self):
        self.open_server()
        self.reshard()

    def test_a_server_that_never_ends_a_shard(self):
        """Nor begins a subscription with anything: as kinesis-mock does."""
        self.open_server(greets=False, ends_shards=False)
        self.reshard()

    def test_a_restart_goes_on_behind_the_checkpoint(self):
        self.open_server()
        self.server.register()
        shard = self.server.shard()
        for source in (NAMED, f'{{arn: "{self.server.consumer[0]}"}}'):
            self.put(shard, 30)
            pollard = self.run_pollard(source)
            self.wait_handled()
            self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted)

    def test_a_consumer_is_registered_when_asked_for(self):
        self.open_server()
        self.put(self.server.shard(), 10)
        pollard = self.run_pollard()
        wait_until(lambda: self.server.seen("DescribeStreamConsumer"), 20, "it looks for its consumer")
        wait_until(lambda: self.log("stream.missing"), 20, "it says that there is none")
        self.assertIn("register_consumer", self.log("stream.missing")[0]["error"])
        self.assertFalse(self.server.seen("RegisterStreamConsumer"))
        self.assertEqual(stop(pollard), 0)

        pollard = self.run_pollard(REGISTERED)
        wait_until(lambda: self.server.seen("RegisterStreamConsumer"), 20, "it registers the consumer")
        asked = len(self.server.seen("DescribeStreamConsumer"))
        wait_until(lambda: len(self.server.seen("DescribeStreamConsumer")) > asked + 1, 20, "it waits for it")
        self.assertFalse(self.server.seen("SubscribeToShard"), "not before it is ACTIVE")
        self.server.consumer[1] = "ACTIVE"
        self.wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(len(self.server.seen("RegisterStreamConsumer")), 1)

    def test_a_consumer_is_made_anew(self):
        """Its ARN is another one then."""
        self.open_server()
        self.server.register()
        shard = self.server.shard()
        self.put(shard, 10)
        pollard = self.run_pollard()
        self.wait_handled()
        self.server.deregister()
        wait_until(lambda: self.log("shard.failed"), 20, "the shard's failure is said")
        self.server.register("CREATING")
        self.put(shard, 10)
        self.server.consumer[1] = "ACTIVE"
        self.wait_handled(30)
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.handled(), self.wanted)

    def resident_when_full(self, shards, put_in_front):
        """Bytes, when nothing more is taken from the server."""
        self.open_server()
        put_in_front()
        self.server.register()
        records = [{"SequenceNumber": str(10 ** 20 + i), "PartitionKey": "k", "Data": 1368 * "A",
                    "ApproximateArrivalTimestamp": 1795369143} for i in range(100)]
        self.server.flood = event("SubscribeToShardEvent", {
            "Records": records, "ContinuationSequenceNumber": "2" + 20 * "0", "MillisBehindLatest": 1000})
        for _ in range(shards):
            self.server.shard()
        pollard = self.run_pollard(delay_ms=600000)
        wait_until(lambda: len(self.server.seen("SubscribeToShard")) == shards, 20, "all are subscribed")
        seen = []

        def stands_still():
            seen.append(self.server.flooded)
            return len(seen) > 50 and seen[-50] == seen[-1]

        wait_until(stands_still, 60, "the server is made to wait")
        self.assertGreater(self.server.flooded, shards * len(self.server.flood))
        with open(f"/proc/{pollard.pid}/status") as status:
            resident = [int(line.split()[1]) for line in status if line.startswith("RssAnon")]
        pollard.kill()
        pollard.wait()
        self.server.close()
        return resident[0] * 1024

    def assert_small(self, put_in_front):
        one = self.resident_when_full(1, put_in_front)
        os.remove(self.stage.path("state.db"))
        many = self.resident_when_full(9, put_in_front)
        self.assertLess((many - one) / 8, 2 * MIB)

    def test_a_subscription_takes_less_than_2_mib(self):
        self.assert_small(lambda: None)

    def test_a_subscription_takes_less_than_2_mib_over_http2(self):
        self.assert_small(self.put_http2_in_front)


if __name__ == "__main__":
    unittest.main(verbosity=1)

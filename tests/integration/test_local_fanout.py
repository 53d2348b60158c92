#!/usr/bin/env python3
"""Enhanced fan-out on the embedded server: by a bare client that takes its
answers apart, and by a whole pollard.
"""
import base64
import contextlib
import http.client
import json
import os
import struct
import sys
import unittest
import urllib.request
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from stage import AwsError, Ledger, Stage, stop, wait_until  # noqa: E402

BUILD = sys.argv.pop(1)

CONFIG = """version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: {folder}/state.db}}, heartbeat: 200ms, checkpoint_interval: 50ms}}
triggers:
  clicks:
    source: {{kinesis: {{stream: clicks, consumer: pushed, register_consumer: true}}}}
    starting_position: TRIM_HORIZON
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger}}}}
"""


class Subscription:
    """One SubscribeToShard; raises AwsError where it is refused."""

    def __init__(self, port, consumer, shard, position):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.connection.request("POST", "/", json.dumps({
            "ConsumerARN": consumer, "ShardId": shard, "StartingPosition": position}), {
                "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Kinesis_20131202.SubscribeToShard",
                "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/kinesis/aws4_request, "
                "SignedHeaders=host, Signature=00"})
        self.reply = self.connection.getresponse()
        if self.reply.status != 200:
            refusal = AwsError(self.reply.status, self.reply.read())
            self.connection.close()
            raise refusal
        assert self.reply.headers["Content-Type"] == "application/vnd.amazon.eventstream"
        assert self.next() == ("initial-response", {})

    def take(self, size):
        data = b""
        while len(data) < size:
            more = self.reply.read(size - len(data))
            if not more:
                return data
            data += more
        return data

    def next(self):
        """(type, document), or None at the end. Checks both checksums."""
        prelude = self.take(12)
        if not prelude:
            return None
        size, headers_size, crc = struct.unpack(">III", prelude)
        assert crc == zlib.crc32(prelude[:8])
        rest = self.take(size - 12)
        assert struct.unpack(">I", rest[-4:])[0] == zlib.crc32(prelude + rest[:-4])
        headers, at = {}, 0
        while at < headers_size:
            name = rest[at + 1:at + 1 + rest[at]].decode()
            at += 1 + rest[at]
            assert rest[at] == 7
            length = struct.unpack(">H", rest[at + 1:at + 3])[0]
            headers[name] = rest[at + 3:at + 3 + length].decode()
            at += 3 + length
        kind = headers.get(":event-type") or headers[":exception-type"]
        return kind, json.loads(rest[headers_size:-4])

    def records(self, count):
        """Their data, and the event that brought the last."""
        found, document = [], None
        while len(found) < count:
            kind, document = self.next()
            assert kind == "SubscribeToShardEvent", kind
            found += [base64.b64decode(r["Data"]).decode() for r in document["Records"]]
        return found, document

    def close(self):
        self.reply.close()
        self.connection.close()


class LocalFanout(unittest.TestCase):
    def setUp(self):
        self.stage = Stage(BUILD)
        self.addCleanup(lambda: self.stage.__exit__(self.failure(), None, None))
        self.local, self.port = self.stage.start_local()
        self.kinesis = self.stage.aws("kinesis", self.port)
        self.kinesis.create_stream("clicks", 1)
        self.arn = self.kinesis.call("DescribeStreamSummary", StreamName="clicks")["StreamDescriptionSummary"][
            "StreamARN"]
        self.shard = self.kinesis.shards("clicks")[0]["ShardId"]
        self.sent = 0

    def failure(self):
        return None if self._outcome.success else AssertionError

    def register(self, name="pushed"):
        consumer = self.kinesis.call("RegisterStreamConsumer", StreamARN=self.arn, ConsumerName=name)["Consumer"]
        return consumer["ConsumerARN"]

    def subscribe(self, consumer, **position):
        subscription = Subscription(self.port, consumer, self.shard, position or {"Type": "TRIM_HORIZON"})
        self.addCleanup(subscription.close)
        return subscription

    def put(self, count):
        texts = [f"n{self.sent + i:05d}" for i in range(count)]
        self.sent += count
        self.kinesis.put_all("clicks", [(f"key-{i % 5}", text) for i, text in enumerate(texts)])
        return texts

    def advance(self, ms):
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_pollard/clock",
                               json.dumps({"advance_ms": ms}).encode(), timeout=10).read()

    def assert_refused(self, code, operation, *arguments, **named):
        with self.assertRaises(AwsError) as raised:
            operation(*arguments, **named)
        self.assertEqual(raised.exception.code, code)

    def test_consumers(self):
        arn = self.register()
        self.assertRegex(arn, f"^{self.arn}/consumer/pushed:[0-9]+$")
        named = self.kinesis.call("DescribeStreamConsumer", StreamARN=self.arn, ConsumerName="pushed")
        self.assertEqual(named, self.kinesis.call("DescribeStreamConsumer", ConsumerARN=arn))
        self.assertEqual(named["ConsumerDescription"]["ConsumerStatus"], "ACTIVE")
        self.assertEqual(named["ConsumerDescription"]["StreamARN"], self.arn)
        self.assert_refused("ResourceInUseException", self.register)
        self.assert_refused("ValidationException", self.register, "not a name")
        for i in range(19):
            self.register(f"c{i}")
        self.assert_refused("LimitExceededException", self.register, "one-more")
        listed = self.kinesis.call("ListStreamConsumers", StreamARN=self.arn)["Consumers"]
        self.assertEqual([c["ConsumerName"] for c in listed], ["pushed"] + [f"c{i}" for i in range(19)])
        summary = self.kinesis.call("DescribeStreamSummary", StreamName="clicks")["StreamDescriptionSummary"]
        self.assertEqual(summary["ConsumerCount"], 20)
        self.kinesis.call("DeregisterStreamConsumer", ConsumerARN=arn)
        self.assert_refused("ResourceNotFoundException", self.kinesis.call, "DescribeStreamConsumer", ConsumerARN=arn)

    def test_events(self):
        early = self.put(1500)
        consumer = self.register()
        subscription = self.subscribe(consumer)
        found, event = subscription.records(1500)
        self.assertEqual(found, early)
        self.assertEqual(event["MillisBehindLatest"], 0)
        middle = event["ContinuationSequenceNumber"]
        late = self.put(3)  # comes at once, and not with the next quiet event
        self.assertEqual(subscription.records(3)[0], late)
        subscription.close()
        self.advance(5000)
        resumed = self.subscribe(consumer, Type="AFTER_SEQUENCE_NUMBER", SequenceNumber=middle)
        self.assertEqual(resumed.records(3)[0], late)

    def test_quiet_events_and_the_end_after_five_minutes(self):
        subscription = self.subscribe(self.register(), Type="LATEST")
        for _ in range(3):
            kind, event = subscription.next()
            self.assertEqual((kind, event["Records"]), ("SubscribeToShardEvent", []))
            self.assertIn("ContinuationSequenceNumber", event)
            self.advance(5000)
        self.advance(300000)
        while (last := subscription.next()) is not None:
            self.assertEqual(last[0], "SubscribeToShardEvent")

    def test_another_takes_over_after_five_seconds(self):
        consumer = self.register()
        first = self.subscribe(consumer)
        self.assert_refused("ResourceInUseException", self.subscribe, consumer)
        self.subscribe(self.register("other"))  # is none of its business
        self.advance(5000)
        self.subscribe(consumer)
        while (found := first.next())[0] == "SubscribeToShardEvent":
            pass
        self.assertEqual(found[0], "ResourceInUseException")
        self.assertIsNone(first.next())

    def test_refusals(self):
        consumer = self.register()
        self.assert_refused("ResourceNotFoundException", self.subscribe, consumer + "0")
        self.assert_refused("ValidationException", self.subscribe, "")
        self.assert_refused("ValidationException", self.subscribe, consumer, Type="SOMEWHERE")
        self.assert_refused("InvalidArgumentException", self.subscribe, consumer, Type="AFTER_SEQUENCE_NUMBER",
                            SequenceNumber="12")
        self.assert_refused("ResourceNotFoundException", Subscription, self.port, consumer, "shardId-000000000007",
                            {"Type": "LATEST"})

    def test_what_is_deleted_ends_subscriptions(self):
        consumer = self.register()
        for delete in (lambda: self.kinesis.call("DeregisterStreamConsumer", ConsumerARN=consumer),
                       lambda: self.kinesis.call("DeleteStream", StreamName="clicks")):
            subscription = self.subscribe(consumer)
            self.assertEqual(subscription.next()[0], "SubscribeToShardEvent")
            delete()
            self.assertEqual(subscription.next()[0], "ResourceNotFoundException")
            self.assertIsNone(subscription.next())
            with contextlib.suppress(AwsError):
                consumer = self.register()

    def test_a_large_record(self):
        self.kinesis.call("UpdateMaxRecordSize", StreamARN=self.arn, MaxRecordSizeInKiB=10240)
        data = base64.b64encode(os.urandom(10 * 1024 * 1024 - 16)).decode()
        self.kinesis.call("PutRecord", StreamName="clicks", PartitionKey="k", Data=data)
        subscription = self.subscribe(self.register())
        kind, event = subscription.next()
        self.assertEqual(event["Records"][0]["Data"], data)

    def test_a_client_that_is_gone_and_a_stop(self):
        for name in ("a", "b", "c"):
            self.subscribe(self.register(name)).close()
        left_open = self.subscribe(self.register("d"))
        self.put(10)
        self.assertEqual(stop(self.local), 0)
        self.assertEqual(len(left_open.records(10)[0]), 10)

    def test_a_whole_pollard(self):
        wanted = self.put(500)
        config = self.stage.write("pollard.yaml", CONFIG.format(
            port=self.port, folder=self.stage.folder, handler=self.stage.handler()))
        ledger = Ledger(self.stage.path("ledger"))

        def wait_handled():
            wait_until(lambda: set(ledger.data("clicks")) >= set(wanted), 60, f"{len(wanted)} records were handled")

        pollard = self.stage.start_pollard(config)
        wait_handled()
        self.kinesis.call("SplitShard", StreamName="clicks", ShardToSplit=self.shard,
                          NewStartingHashKey=str(1 << 127))
        wanted += self.put(500)
        wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.advance(5000)  # the server may take our subscriptions for living ones
        pollard = self.stage.start_pollard(config)
        wanted += self.put(100)
        wait_handled()
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(sorted(ledger.data("clicks")), wanted)


if __name__ == "__main__":
    unittest.main(verbosity=1)

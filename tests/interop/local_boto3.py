#!/usr/bin/env python3
"""What boto3 sees of `pollard local`. Any boto3 will do: old ones speak SQS's
Query protocol, new ones JSON.

usage: local_boto3.py BINARY
"""
import hashlib
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
import urllib.request

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Server:
    def __init__(self, binary):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen([binary, "local", "--port", str(self.port)], stdout=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.02)
        keys = dict(endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="local",
                    aws_secret_access_key="local", config=Config(retries={"max_attempts": 0}))
        self.sqs = boto3.client("sqs", **keys)
        self.kinesis = boto3.client("kinesis", **keys)
        self.sts = boto3.client("sts", **keys)
        self.names = 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def admin(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_pollard/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.loads(reply.read())

    def advance(self, seconds):
        self.admin("clock", {"advance_ms": int(seconds * 1000)})

    def name(self):
        self.names += 1
        return f"thing-{self.names}"

    def queue(self, **attributes):
        name = self.name() + (".fifo" if "FifoQueue" in attributes else "")
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def stream(self, shards=1):
        name = self.name()
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=name)
        return name

    def receive(self, url, count=10, **more):
        return self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=count, **more).get("Messages", [])

    def await_waiting(self, url, count):
        name = url.rsplit("/", 1)[1]
        end = time.monotonic() + 10
        while self.admin("stats")["queues"][name]["waiting"] != count:
            assert time.monotonic() < end, "nobody waits"
            time.sleep(0.01)


def code_of(call, *args, **kwargs):
    """The error's code, or None."""
    try:
        call(*args, **kwargs)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def attributes_md5(attributes):
    out = b""
    for name in sorted(attributes):
        value = attributes[name]
        binary = value["DataType"].startswith("Binary")
        payload = value["BinaryValue"] if binary else value["StringValue"].encode()
        for part in (name.encode(), value["DataType"].encode()):
            out += struct.pack(">I", len(part)) + part
        out += (b"\2" if binary else b"\1") + struct.pack(">I", len(payload)) + payload
    return hashlib.md5(out).hexdigest()


# ---- SQS --------------------------------------------------------------------

@check
def bodies_survive(s):
    url = s.queue()
    bodies = ["plain", "a<b>&\"'\r\n\t]]>", "h\u00e4 \u4e16 \U0001f600", " spaces ", "%41+%2B", "x" * 1048576]
    for body in bodies:
        sent = s.sqs.send_message(QueueUrl=url, MessageBody=body)
        assert sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest()
        message, = s.receive(url)
        assert message["Body"] == body, (body[:20], message["Body"][:20])
        assert message["MessageId"] == sent["MessageId"]
        s.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


@check
def message_attributes_and_their_md5(s):
    url = s.queue()
    attributes = {
        "text": {"DataType": "String", "StringValue": "a & b"},
        "number": {"DataType": "Number.float", "StringValue": "1.5"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\0\xff\n"},
    }
    sent = s.sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)
    assert sent["MD5OfMessageAttributes"] == attributes_md5(attributes)
    message, = s.receive(url, MessageAttributeNames=["All"], VisibilityTimeout=0)
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == attributes_md5(attributes)
    message, = s.receive(url, MessageAttributeNames=["b*", "blo.*", "number"], VisibilityTimeout=0)
    assert set(message["MessageAttributes"]) == {"blob", "number"}
    message, = s.receive(url)
    assert "MessageAttributes" not in message


@check
def system_attributes(s):
    url = s.queue()
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}}
    sent = s.sqs.send_message(QueueUrl=url, MessageBody="x", MessageSystemAttributes=trace, MessageGroupId="fair")
    assert sent["MD5OfMessageSystemAttributes"] == attributes_md5(trace)
    message, = s.receive(url, AttributeNames=["All"], VisibilityTimeout=0)
    got = message["Attributes"]
    assert got["AWSTraceHeader"] == "Root=1-2-3" and got["MessageGroupId"] == "fair"
    assert got["ApproximateReceiveCount"] == "1"
    assert abs(int(got["SentTimestamp"]) - time.time() * 1000) < 60000
    try:
        message, = s.receive(url, MessageSystemAttributeNames=["SentTimestamp"])
    except ParamValidationError:
        return  # an old boto3
    assert set(message["Attributes"]) == {"SentTimestamp"}


@check
def long_poll_wakes_on_send_and_after_a_delay(s):
    url = s.queue(ReceiveMessageWaitTimeSeconds="20")
    for delay in (0, 900):
        got = []
        thread = threading.Thread(target=lambda: got.extend(s.receive(url)))
        thread.start()
        s.await_waiting(url, 1)
        s.sqs.send_message(QueueUrl=url, MessageBody="wake", DelaySeconds=delay)
        if delay:
            s.advance(10)  # the poll has 20 s of the server's time
            assert not got
            s.advance(10)
            thread.join(20)
            assert not got and not thread.is_alive()
            s.advance(delay)
            assert s.receive(url)
        else:
            thread.join(20)
            assert got and got[0]["Body"] == "wake"


@check
def visibility(s):
    url = s.queue(VisibilityTimeout="5")
    s.sqs.send_message(QueueUrl=url, MessageBody="x")
    first, = s.receive(url)
    assert not s.receive(url)
    s.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=100)
    s.advance(50)
    assert not s.receive(url)
    s.advance(50)
    assert code_of(s.sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=first["ReceiptHandle"],
                   VisibilityTimeout=1) in ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight")
    second, = s.receive(url)
    s.sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])  # old: accepted, without effect
    s.advance(5)
    third, = s.receive(url)
    s.sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])
    s.sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])
    s.advance(10)
    assert not s.receive(url)


@check
def batches_fail_by_entry(s):
    url = s.queue()
    reply = s.sqs.send_message_batch(QueueUrl=url, Entries=[
        {"Id": "good", "MessageBody": "1"}, {"Id": "late", "MessageBody": "2", "DelaySeconds": 901},
        {"Id": "odd", "MessageBody": "\x01"}])
    assert [e["Id"] for e in reply["Successful"]] == ["good"]
    assert {e["Id"]: (e["Code"], e["SenderFault"]) for e in reply["Failed"]} == {
        "late": ("InvalidParameterValue", True), "odd": ("InvalidMessageContents", True)}
    message, = s.receive(url)
    reply = s.sqs.change_message_visibility_batch(QueueUrl=url, Entries=[
        {"Id": "a", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 60},
        {"Id": "b", "ReceiptHandle": "bogus", "VisibilityTimeout": 60}])
    assert reply["Successful"][0]["Id"] == "a" and reply["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    reply = s.sqs.delete_message_batch(QueueUrl=url, Entries=[
        {"Id": "a", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "b", "ReceiptHandle": "bogus"}])
    assert reply["Successful"][0]["Id"] == "a" and reply["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"


@check
def whole_batches_are_refused(s):
    url = s.queue()
    prefix = "AWS.SimpleQueueService."
    entry = {"Id": "a", "MessageBody": "x"}
    send = s.sqs.send_message_batch
    assert code_of(send, QueueUrl=url, Entries=[entry, entry]) == prefix + "BatchEntryIdsNotDistinct"
    assert code_of(send, QueueUrl=url, Entries=[dict(entry, Id=str(i)) for i in range(11)]) == (
        prefix + "TooManyEntriesInBatchRequest")
    assert code_of(send, QueueUrl=url, Entries=[dict(entry, Id="a b")]) == prefix + "InvalidBatchEntryId"
    big = "x" * 110000
    assert code_of(send, QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": big} for i in range(10)]) == (
        prefix + "BatchRequestTooLong")
    assert not s.receive(url)


@check
def errors_have_their_codes(s):
    url = s.queue()
    missing = url.rsplit("/", 1)[0] + "/none"
    gone = "AWS.SimpleQueueService.NonExistentQueue"
    assert code_of(s.sqs.get_queue_url, QueueName="none") == gone
    assert code_of(s.sqs.receive_message, QueueUrl=missing) == gone
    try:
        s.sqs.send_message(QueueUrl=missing, MessageBody="x")
    except s.sqs.exceptions.QueueDoesNotExist:
        pass
    assert code_of(s.receive, url, 11) == "InvalidParameterValue"
    assert code_of(s.receive, url, WaitTimeSeconds=21) == "InvalidParameterValue"
    assert code_of(s.sqs.send_message, QueueUrl=url, MessageBody="x" * 1048577) == "InvalidParameterValue"
    assert code_of(s.sqs.send_message, QueueUrl=url, MessageBody="\0") in (
        "InvalidMessageContents", "InvalidParameterValue")
    assert code_of(s.sqs.create_queue, QueueName=url.rsplit("/", 1)[1],
                   Attributes={"DelaySeconds": "9"}) == "QueueAlreadyExists"
    assert code_of(s.sqs.create_queue, QueueName="x" * 81) == "InvalidParameterValue"
    assert code_of(s.sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Color"]) == "InvalidAttributeName"
    assert code_of(s.sqs.delete_message, QueueUrl=url, ReceiptHandle="bogus") == "ReceiptHandleIsInvalid"


@check
def queues_attributes_tags(s):
    url = s.queue(DelaySeconds="3", MessageRetentionPeriod="60")
    name = url.rsplit("/", 1)[1]
    assert s.sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    assert s.sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "3"})["QueueUrl"] == url
    s.sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0"})
    s.sqs.send_message_batch(QueueUrl=url, Entries=[
        {"Id": "1", "MessageBody": "1"}, {"Id": "2", "MessageBody": "2"},
        {"Id": "3", "MessageBody": "3", "DelaySeconds": 50}])
    s.receive(url, 1)
    got = s.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert got["QueueArn"] == f"arn:aws:sqs:us-east-1:000000000000:{name}"
    assert [got[f"ApproximateNumberOfMessages{k}"] for k in ("", "NotVisible", "Delayed")] == ["1", "1", "1"]
    assert got["DelaySeconds"] == "0" and got["MessageRetentionPeriod"] == "60"
    s.advance(60)
    got = s.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert got == {"ApproximateNumberOfMessages": "0"}
    s.sqs.tag_queue(QueueUrl=url, Tags={"a": "1", "b": "<2>"})
    s.sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    assert s.sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "<2>"}
    assert url in s.sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]
    pages = list(s.sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1}))
    assert url in [u for page in pages for u in page.get("QueueUrls", [])] and len(pages) > 2
    s.sqs.send_message(QueueUrl=url, MessageBody="x")
    s.sqs.purge_queue(QueueUrl=url)
    assert not s.receive(url)
    s.sqs.delete_queue(QueueUrl=url)
    assert "QueueUrls" not in s.sqs.list_queues(QueueNamePrefix=name) or url not in (
        s.sqs.list_queues(QueueNamePrefix=name)["QueueUrls"])


@check
def dead_letters(s):
    dead = s.queue()
    arn = s.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    url = s.queue(VisibilityTimeout="0",
                  RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2}))
    s.sqs.send_message(QueueUrl=url, MessageBody="poison")
    assert [len(s.receive(url)) for _ in range(3)] == [1, 1, 0]
    message, = s.receive(dead, AttributeNames=["All"])
    assert message["Body"] == "poison" and message["Attributes"]["DeadLetterQueueSourceArn"].endswith(
        url.rsplit("/", 1)[1])
    assert s.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]


@check
def fifo(s):
    url = s.queue(FifoQueue="true", ContentBasedDeduplication="true")
    sent = [s.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[0])
            for body in ("a1", "b1", "a2", "a1")]
    assert sent[0]["MessageId"] == sent[3]["MessageId"] and sent[0]["SequenceNumber"] == sent[3]["SequenceNumber"]
    assert sent[0]["SequenceNumber"] < sent[2]["SequenceNumber"] and len(sent[0]["SequenceNumber"]) == 20
    got = s.receive(url, 2, ReceiveRequestAttemptId="x", AttributeNames=["All"])
    assert [m["Body"] for m in got] == ["a1", "a2"]
    assert got[0]["Attributes"]["MessageGroupId"] == "a"
    assert got[0]["Attributes"]["SequenceNumber"] == sent[0]["SequenceNumber"]
    again = s.receive(url, 2, ReceiveRequestAttemptId="x")
    assert [m["ReceiptHandle"] for m in again] == [m["ReceiptHandle"] for m in got]
    assert [m["Body"] for m in s.receive(url)] == ["b1"]
    s.sqs.send_message(QueueUrl=url, MessageBody="a3", MessageGroupId="a")
    assert not s.receive(url)
    for message in got:
        s.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert [m["Body"] for m in s.receive(url)] == ["a3"]
    assert code_of(s.sqs.send_message, QueueUrl=url, MessageBody="x") == "MissingParameter"
    s.advance(301)
    s.receive(url)
    s.sqs.send_message(QueueUrl=url, MessageBody="a1", MessageGroupId="c")
    assert [m["Body"] for m in s.receive(url)] == ["a1"]


# ---- Kinesis ----------------------------------------------------------------

def read(s, stream, shard, **start):
    start = start or {"ShardIteratorType": "TRIM_HORIZON"}
    iterator = s.kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, **start)["ShardIterator"]
    return s.kinesis.get_records(ShardIterator=iterator)


def shards(s, stream, **more):
    return [shard["ShardId"] for shard in s.kinesis.list_shards(StreamName=stream, **more)["Shards"]]


@check
def records_come_back(s):
    stream = s.stream()
    data = [bytes(range(256)), b"", b"x" * 1048000]
    reply = s.kinesis.put_records(StreamName=stream, Records=[
        {"Data": d, "PartitionKey": "k\u00e4y"} for d in data])
    assert reply["FailedRecordCount"] == 0
    numbers = [r["SequenceNumber"] for r in reply["Records"]]
    assert numbers == sorted(numbers) and all(len(n) == 56 for n in numbers)
    shard, = shards(s, stream)
    page = read(s, stream, shard)
    assert [r["Data"] for r in page["Records"]] == data
    assert [r["SequenceNumber"] for r in page["Records"]] == numbers
    assert page["Records"][0]["PartitionKey"] == "k\u00e4y" and page["MillisBehindLatest"] == 0
    assert abs(page["Records"][0]["ApproximateArrivalTimestamp"].timestamp() - time.time()) < 3600 * 24
    after = read(s, stream, shard, ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1])
    assert len(after["Records"]) == 1
    at = read(s, stream, shard, ShardIteratorType="AT_TIMESTAMP",
              Timestamp=page["Records"][0]["ApproximateArrivalTimestamp"])
    assert len(at["Records"]) == 3
    assert not read(s, stream, shard, ShardIteratorType="LATEST")["Records"]


@check
def keys_choose_the_shard(s):
    stream = s.stream(4)
    ranges = {shard["ShardId"]: shard["HashKeyRange"]
              for shard in s.kinesis.list_shards(StreamName=stream)["Shards"]}
    for i in range(20):
        key = f"key-{i}"
        shard = s.kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey=key)["ShardId"]
        hashed = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
        assert int(ranges[shard]["StartingHashKey"]) <= hashed <= int(ranges[shard]["EndingHashKey"])
    last = s.kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k", ExplicitHashKey=str(2 ** 128 - 1))
    assert last["ShardId"] == "shardId-000000000003"


@check
def resharding(s):
    stream = s.stream()
    s.kinesis.put_record(StreamName=stream, Data=b"parent", PartitionKey="k")
    parent, = shards(s, stream)
    s.kinesis.split_shard(StreamName=stream, ShardToSplit=parent, NewStartingHashKey=str(2 ** 127))
    page = read(s, stream, parent)
    assert "NextShardIterator" not in page and len(page["Records"]) == 1
    children = [child["ShardId"] for child in page["ChildShards"]]
    assert children == shards(s, stream)[1:] and page["ChildShards"][0]["ParentShards"] == [parent]
    s.kinesis.merge_shards(StreamName=stream, ShardToMerge=children[0], AdjacentShardToMerge=children[1])
    merged = s.kinesis.list_shards(StreamName=stream)["Shards"][3]
    assert [merged["ParentShardId"], merged["AdjacentParentShardId"]] == children
    assert shards(s, stream, ShardFilter={"Type": "AT_LATEST"}) == [merged["ShardId"]]
    reply = s.kinesis.update_shard_count(StreamName=stream, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    assert reply["TargetShardCount"] == 2
    summary = s.kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == 2 and summary["StreamStatus"] == "ACTIVE"


@check
def enhanced_fan_out(s):
    stream = s.stream(1)
    arn = s.kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    consumer = s.kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="pushed")["Consumer"]["ConsumerARN"]
    s.kinesis.get_waiter("stream_exists").wait(StreamName=stream)
    assert s.kinesis.list_stream_consumers(StreamARN=arn)["Consumers"][0]["ConsumerStatus"] == "ACTIVE"
    shard = shards(s, stream)[0]
    put = s.kinesis.put_record(StreamName=stream, Data=b"pushed", PartitionKey="k")["SequenceNumber"]
    reply = s.kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard,
                                         StartingPosition={"Type": "TRIM_HORIZON"})
    events = iter(reply["EventStream"])
    event = next(events)["SubscribeToShardEvent"]
    assert [(r["Data"], r["SequenceNumber"]) for r in event["Records"]] == [(b"pushed", put)], event
    assert event["ContinuationSequenceNumber"] == put and event["MillisBehindLatest"] == 0
    refused = code_of(s.kinesis.subscribe_to_shard, ConsumerARN=consumer, ShardId=shard,
                      StartingPosition={"Type": "LATEST"})
    assert refused == "ResourceInUseException", refused
    s.kinesis.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey=str(2 ** 127))
    event = next(events)["SubscribeToShardEvent"]
    assert [c["ParentShards"] for c in event["ChildShards"]] == [[shard], [shard]], event
    assert next(events, None) is None


@check
def listing_shards_in_pages(s):
    stream = s.stream(5)
    seen, which = [], {"StreamName": stream}
    while which:
        page = s.kinesis.list_shards(MaxResults=2, **which)
        assert len(page["Shards"]) <= 2
        seen += [shard["ShardId"] for shard in page["Shards"]]
        # As AWS, it takes the token alone; boto3's own paginator does not know.
        which = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert seen == shards(s, stream) and len(seen) == 5
    described = s.kinesis.describe_stream(StreamName=stream, Limit=3)["StreamDescription"]
    assert described["HasMoreShards"] and len(described["Shards"]) == 3


@check
def iterators_and_retention_end(s):
    stream = s.stream()
    shard, = shards(s, stream)
    s.kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k")
    iterator = s.kinesis.get_shard_iterator(StreamName=stream, ShardId=shard,
                                            ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    s.advance(301)
    assert code_of(s.kinesis.get_records, ShardIterator=iterator) == "ExpiredIteratorException"
    assert code_of(s.kinesis.get_records, ShardIterator="garbage") == "InvalidArgumentException"
    s.kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=48)
    s.advance(25 * 3600)
    assert len(read(s, stream, shard)["Records"]) == 1
    s.advance(25 * 3600)
    assert not read(s, stream, shard)["Records"]
    assert code_of(s.kinesis.describe_stream, StreamName="none") == "ResourceNotFoundException"


@check
def large_pages(s):
    stream = s.stream()
    shard, = shards(s, stream)
    for _ in range(3):
        s.kinesis.put_records(StreamName=stream, Records=[
            {"Data": b"x" * 1000000, "PartitionKey": "k"}] * 5)
    page = read(s, stream, shard)
    assert len(page["Records"]) == 10 and page["MillisBehindLatest"] > 0
    page = s.kinesis.get_records(ShardIterator=page["NextShardIterator"])
    assert len(page["Records"]) == 5


# ---- the rest ---------------------------------------------------------------

@check
def identity(s):
    assert s.sts.get_caller_identity()["Account"] == "000000000000"


@check
def faults(s):
    url = s.queue()
    name = url.rsplit("/", 1)[1]
    s.admin("faults", {"faults": [f"SendMessage@{name}:error=RequestThrottled:times=1",
                                  f"ReceiveMessage@{name}:error=ServiceUnavailable:times=1"]})
    assert code_of(s.sqs.send_message, QueueUrl=url, MessageBody="x") == "RequestThrottled"
    s.sqs.send_message(QueueUrl=url, MessageBody="x")
    assert code_of(s.receive, url) == "ServiceUnavailable"
    assert len(s.receive(url)) == 1
    s.admin("faults", {"faults": [f"DeleteMessageBatch@{name}:partial=InternalError"]})
    reply = s.sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": "x"}])
    assert reply["Failed"][0]["Code"] == "InternalError"
    s.admin("faults", method="DELETE")


@check
def request_ids_are_uuids(s):
    for reply in (s.sqs.list_queues(), s.kinesis.list_streams(), s.sts.get_caller_identity()):
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", reply["ResponseMetadata"]["RequestId"])


def main():
    server = Server(sys.argv[1])
    protocol = server.sqs.meta.service_model.protocol_name if hasattr(
        server.sqs.meta.service_model, "protocol_name") else server.sqs.meta.service_model.metadata["protocol"]
    print(f"boto3 {boto3.__version__}, botocore {botocore.__version__}, SQS over {protocol}")
    failed = 0
    for function in CHECKS:
        try:
            function(server)
            print(f"  ok      {function.__name__}")
        except Exception:
            failed += 1
            print(f"  FAILED  {function.__name__}\n{traceback.format_exc()}")
    if server.stop() != 0:
        failed += 1
        print("  FAILED  the server did not end with status 0")
    print(f"{len(CHECKS)} checks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

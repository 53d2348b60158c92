"""Stories of DynamoDB streams: a table's changes arrive as Lambda's events, each
once, those of one item in their order.
"""
import base64
import json
import os
import re

from servers import ministack, moto
from stage import Ledger, stop, wait_until

CONFIG = """
version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: {folder}/state.db}}, checkpoint_interval: 100ms}}
triggers:
  orders:
    source: {{dynamodb: {source}}}
    starting_position: {start}
    retry_backoff: {{base: 50ms, maximum: 200ms}}
    handler: {handler}
"""
BY_TABLE = "{table: orders}"


class Table:
    """A table with a partition key and a sort key, and what was done to it:
    changes of items by name, each with the item's next number."""

    def __init__(self, stage, port):
        self.stage, self.port = stage, port
        self.client, self.streams = stage.aws("dynamodb", port), stage.aws("dynamodb_streams", port)
        self.client.call(
            "CreateTable", TableName="orders", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "shop", "AttributeType": "S"},
                                  {"AttributeName": "item", "AttributeType": "N"}],
            KeySchema=[{"AttributeName": "shop", "KeyType": "HASH"}, {"AttributeName": "item", "KeyType": "RANGE"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        self.made, self.numbers = [], {}

    def stream_arn(self):
        return self.client.call("DescribeTable", TableName="orders")["Table"]["LatestStreamArn"]

    def set_stream(self, is_enabled):
        wanted = {"StreamEnabled": is_enabled}
        if is_enabled:
            wanted["StreamViewType"] = "NEW_AND_OLD_IMAGES"
        self.client.call("UpdateTable", TableName="orders", StreamSpecification=wanted)

    def item(self, number, text):
        """The next version of one of 13 items."""
        key = (f"shop-{number % 3}", str(number % 13))
        self.numbers[key] = self.numbers.get(key, 0) + 1
        self.made.append((*key, self.numbers[key]))
        return {"shop": {"S": key[0]}, "item": {"N": key[1]}, "n": {"N": str(self.numbers[key])}, "text": {"S": text}}

    def change(self, count, text="plain"):
        for number in range(len(self.made), len(self.made) + count):
            self.client.call("PutItem", TableName="orders", Item=self.item(number, text))

    def change_many(self, count):
        """The same, of an item each, in batches."""
        requests = []
        for number in range(count):
            key = ("bulk", str(number))
            self.made.append((*key, 1))
            requests.append({"PutRequest": {"Item": {"shop": {"S": key[0]}, "item": {"N": key[1]}, "n": {"N": "1"}}}})
        for i in range(0, count, 25):
            reply = self.client.call("BatchWriteItem", RequestItems={"orders": requests[i:i + 25]})
            assert not reply.get("UnprocessedItems"), reply

    def records(self):
        """What the stream's only shard holds, as the server tells it."""
        arn = self.stream_arn()
        shard, = self.streams.call("DescribeStream", StreamArn=arn)["StreamDescription"]["Shards"]
        iterator = self.streams.call("GetShardIterator", StreamArn=arn, ShardId=shard["ShardId"],
                                     ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        return self.streams.call("GetRecords", ShardIterator=iterator)["Records"]


class Events:
    """What the handler `exec` was given, call by call."""

    def __init__(self, stage):
        self.path = stage.path("events")
        self.handler = f"{{library: {stage.build}/handlers/exec.so, isolation: thread, timeout: 1m, " \
                       f"settings: {{command: 'cat >> {self.path} && echo >> {self.path}'}}}}"

    def calls(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path) as f:
            text = f.read()
        return [json.loads(line)["Records"] for line in text[:text.rfind("\n") + 1].splitlines()]

    def records(self):
        return [record for call in self.calls() for record in call]


def run(stage, port, handler, source=BY_TABLE, start="TRIM_HORIZON", more="", name="pollard"):
    text = CONFIG.format(port=port, folder=stage.folder, source=source, start=start, handler=handler) + more
    return stage.start_pollard(stage.write("pollard.yaml", text), name)


def ledger_handler(stage, more=""):
    return f"{{library: {stage.handler()}, isolation: thread, settings: {{path: {stage.path('ledger')}{more}}}}}"


def changes(ledger):
    """(shop, item, number) as the handler saw them."""
    found = []
    for row in ledger.read():
        number = re.search(r'"n":{"N":"(\d+)"}', row[4]).group(1)
        shop, item = (re.search(f'"{name}":{{"[SN]":"([^"]+)"}}', row[4]).group(1) for name in ("shop", "item"))
        found.append((shop, item, int(number)))
    return found


def assert_in_order(found):
    """Each item's changes are first handled in the order they were made."""
    last = {}
    for *key, number in dict.fromkeys(found):
        assert number > last.get(tuple(key), 0), (key, number)
        last[tuple(key)] = number


def wait_for(ledger, table, seconds=120):
    wait_until(lambda: set(changes(ledger)) >= set(table.made), seconds, f"{len(table.made)} changes were handled")


ITEM = {
    "shop": {"S": "caf\u00e9 \U0001f439"}, "item": {"N": "7"}, "price": {"N": "12.5"},
    "blob": {"B": base64.b64encode(bytes(range(256))).decode()},
    "tags": {"SS": ["a", "b\"\\"]}, "sizes": {"NS": ["1", "-2.5"]},
    "keys": {"BS": [base64.b64encode(b"one").decode(), base64.b64encode(b"two").decode()]},
    "address": {"M": {"street": {"S": "x<&>\n"}, "deep": {"M": {"list": {"L": [{"N": "1"}, {"BOOL": False}]}}}}},
    "list": {"L": [{"S": ""}, {"NULL": True}, {"L": []}, {"M": {}}]}, "yes": {"BOOL": True}, "none": {"NULL": True},
}


def sorted_sets(value):
    """Sets have no order."""
    if isinstance(value, dict):
        return {k: sorted(v) if k in ("SS", "NS", "BS") else sorted_sets(v) for k, v in value.items()}
    return [sorted_sets(v) for v in value] if isinstance(value, list) else value


def story_event(stage, port):
    """INSERT, MODIFY and REMOVE with both images and every type of attribute,
    in Lambda's form."""
    table, events = Table(stage, port), Events(stage)
    key = {name: ITEM[name] for name in ("shop", "item")}
    table.client.call("PutItem", TableName="orders", Item=ITEM)
    table.client.call("UpdateItem", TableName="orders", Key=key, UpdateExpression="SET price = :p REMOVE tags",
                      ExpressionAttributeValues={":p": {"N": "13"}})
    table.client.call("DeleteItem", TableName="orders", Key=key)
    pollard = run(stage, port, events.handler)
    found = wait_until(lambda: len(events.records()) >= 3 and events.records(), 120, "three records arrived")
    assert stop(pollard) == 0
    arn = table.stream_arn()
    assert found == [{**record, "eventSourceARN": arn} for record in table.records()], found
    later = {name: value for name, value in ITEM.items() if name != "tags"} | {"price": {"N": "13"}}
    images = [("INSERT", None, ITEM), ("MODIFY", ITEM, later), ("REMOVE", later, None)]
    for record, (what, old, new) in zip(found, images, strict=True):
        change = record["dynamodb"]
        assert record["eventName"] == what and record["eventSource"] == "aws:dynamodb", record
        assert record["eventVersion"] and record["eventID"] and record["awsRegion"] == "us-east-1", record
        assert sorted_sets(change.get("OldImage")) == sorted_sets(old), record
        assert sorted_sets(change.get("NewImage")) == sorted_sets(new), record
        assert change["Keys"] == key and change["StreamViewType"] == "NEW_AND_OLD_IMAGES", record
        assert isinstance(change["ApproximateCreationDateTime"], (int, float)), record


def story_restart(stage, port, count):
    """By table, then by the stream's ARN: each change once and in order."""
    table, ledger = Table(stage, port), Ledger(stage.path("ledger"))
    for source in (BY_TABLE, f'{{stream_arn: "{table.stream_arn()}"}}', BY_TABLE):
        table.change(count)
        pollard = run(stage, port, ledger_handler(stage), source)
        wait_for(ledger, table)
        table.change(count)
        wait_for(ledger, table)
        assert stop(pollard) == 0
    assert changes(ledger) == table.made


def story_latest(stage, port):
    """What was there before is not handled, all that comes later is."""
    table, ledger = Table(stage, port), Ledger(stage.path("ledger"))
    table.change(20)
    pollard = run(stage, port, ledger_handler(stage), start="LATEST")

    def arrives():
        table.change(1)
        return changes(ledger)

    wait_until(arrives, 120, "a change arrived")
    first = table.made.index(changes(ledger)[0])
    assert first >= 20, first
    table.change(20)
    wait_until(lambda: set(changes(ledger)) == set(table.made[first:]), 120, "the later ones arrived")
    assert stop(pollard) == 0
    assert changes(ledger) == table.made[first:]


def story_anew(stage, port):
    """A table's stream is disabled and enabled anew: the old one is read to its
    end, then the new one from its beginning, and a restart goes on in that one.
    """
    table, ledger = Table(stage, port), Ledger(stage.path("ledger"))
    table.change(20)
    pollard = run(stage, port, ledger_handler(stage))
    wait_for(ledger, table)
    table.change(20)
    table.set_stream(False)
    wait_for(ledger, table)
    wait_until(lambda: stage.log_events("pollard", "dynamodb.shard_ended"), 120, "the old stream ended")
    table.set_stream(True)
    table.change(20)
    wait_for(ledger, table)
    assert stop(pollard) == 0
    table.change(20)
    pollard = run(stage, port, ledger_handler(stage))
    wait_for(ledger, table)
    assert stop(pollard) == 0
    assert changes(ledger) == table.made


def story_filter(stage, port):
    """Only the new items of one shop arrive, and the rest counts as done."""
    table, ledger = Table(stage, port), Ledger(stage.path("ledger"))
    pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"shop": {"S": ["shop-1"]}, "n": {"N": ["1"]}}}}
    filtered = f"    filter_criteria: {{filters: [{{pattern: '{json.dumps(pattern)}'}}]}}\n"
    table.change(60)
    wanted = [change for change in table.made if change[0] == "shop-1" and change[2] == 1]
    pollard = run(stage, port, ledger_handler(stage), more=filtered)
    wait_until(lambda: len(changes(ledger)) >= len(wanted), 120, "the wanted ones arrived")
    assert stop(pollard) == 0
    assert changes(ledger) == wanted
    table.change(3)
    pollard = run(stage, port, ledger_handler(stage))  # no filter any more
    wait_until(lambda: changes(ledger)[-1] == table.made[-1], 120, "the last one arrived")
    assert stop(pollard) == 0
    assert changes(ledger) == wanted + table.made[60:]


def story_lanes(stage, port, count):
    """Four lanes and a handler that breaks off: nothing is lost, and the order
    of each item holds."""
    table, ledger = Table(stage, port), Ledger(stage.path("ledger"))
    table.change(count)
    pollard = run(stage, port, ledger_handler(stage, ", flaky_percent: 40"),
                  more="    parallelization_factor: 4\n    batch_size: 20\n")
    wait_for(ledger, table)
    table.change(count)
    wait_for(ledger, table)
    assert stop(pollard) == 0
    assert set(changes(ledger)) == set(table.made)
    assert_in_order(changes(ledger))


def story_bulk(stage, port, count):
    """A batch of more changes than one read brings."""
    table, events = Table(stage, port), Events(stage)
    table.change_many(count)
    pollard = run(stage, port, events.handler,
                  more="    batch_size: 10000\n    maximum_batching_window_in_seconds: 10\n")
    wait_until(lambda: len(events.records()) >= count, 180, f"{count} changes arrived")
    assert stop(pollard) == 0
    found = [record["dynamodb"]["Keys"]["item"]["N"] for record in events.records()]
    assert found == [str(number) for number in range(count)]
    assert max(len(call) for call in events.calls()) > 1000, [len(call) for call in events.calls()]


def story_report(stage, port):
    """A change that no handler takes is reported to a queue, as Lambda does."""
    table, ledger, sqs = Table(stage, port), Ledger(stage.path("ledger")), stage.aws("sqs", port)
    url = sqs.create_queue("failed")
    queue = sqs.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    table.change(5)
    table.change(1, "poison")
    table.change(5)
    pollard = run(stage, port, ledger_handler(stage, ", fail: poison"), more=f"""
    maximum_retry_attempts: 1
    function_response_types: [ReportBatchItemFailures]
    bisect_batch_on_function_error: true
    destination_config: {{on_failure: {{destination: "{queue}"}}}}
""")
    wait_until(lambda: set(changes(ledger)) == set(table.made[:5] + table.made[6:]), 120, "it goes on behind it")
    message = wait_until(lambda: sqs.call("ReceiveMessage", QueueUrl=url).get("Messages"), 120, "the report arrives")[0]
    assert stop(pollard) == 0
    report, poison = json.loads(message["Body"]), table.records()[5]["dynamodb"]
    assert list(report) == ["requestContext", "responseContext", "version", "timestamp", "DDBStreamBatchInfo"], report
    assert report["requestContext"]["condition"] == "RetryAttemptsExhausted", report
    assert report["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": None}, report
    batch = report["DDBStreamBatchInfo"]
    assert batch["startSequenceNumber"] == poison["SequenceNumber"], (batch, poison)
    assert batch["streamArn"] == table.stream_arn() and batch["shardId"].startswith("shardId-"), batch
    for name in ("approximateArrivalOfFirstRecord", "approximateArrivalOfLastRecord"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", batch[name]), batch
    assert list(batch) == ["shardId", "startSequenceNumber", "endSequenceNumber", "approximateArrivalOfFirstRecord",
                           "approximateArrivalOfLastRecord", "batchSize", "streamArn"], batch


# moto is slow: it gets less to do. A stream that was disabled stays so there.
STORIES = [("dynamodb anew ministack", story_anew, (ministack,), ())]
for server, factor in ((ministack, 1), (moto, 3)):
    STORIES += [(f"dynamodb {name} {server.__name__}", story, (server,), arguments) for name, story, arguments in (
        ("event", story_event, ()), ("restart", story_restart, (60 // factor,)), ("latest", story_latest, ()),
        ("filter", story_filter, ()), ("lanes", story_lanes, (300 // factor,)),
        ("bulk", story_bulk, (6000 // factor,)), ("report", story_report, ()))]

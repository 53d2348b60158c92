"""Stories of Kinesis streams: read once and in order, split and merged, and fed
by a queue's results.
"""
from servers import elasticmq, kinesis_mock, local, moto
from stage import Ledger, stop, wait_until

STREAM = """
version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: {folder}/state.db}}, checkpoint_interval: 100ms}}
triggers:
  clicks:
    source: {{kinesis: {{stream: clicks}}}}
    starting_position: TRIM_HORIZON
    batch_size: 50
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger}}}}
  copies:
    source: {{kinesis: {{stream: clicks}}}}
    starting_position: TRIM_HORIZON
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/copies, note: independent}}}}
"""


def run_stream(stage, port):
    config = stage.write("pollard.yaml", STREAM.format(port=port, handler=stage.handler(), folder=stage.folder))
    return stage.start_pollard(config)


def put(kinesis, first, last):
    kinesis.put_all("clicks", [(f"key-{i % 13}", f"record-{i}") for i in range(first, last)])


def assert_order_per_key(rows):
    """Records of one partition key are first handled in the order they were
    put."""
    last, seen = {}, set()
    for _, _, _, key, data in rows:
        if data in seen:
            continue
        seen.add(data)
        number = int(data.split("-")[1])
        assert number > last.get(key, -1), f"{data} of {key} came after record-{last[key]}"
        last[key] = number


def handled(ledger, trigger, last):
    return set(ledger.data(trigger)) == {f"record-{i}" for i in range(last)}


def story_stream(stage, port, count):
    """Every record once and in order; a restart goes on where it stopped."""
    kinesis = stage.aws("kinesis", port)
    kinesis.create_stream("clicks", 2)
    put(kinesis, 0, count)
    clicks, copies = Ledger(stage.path("ledger")), Ledger(stage.path("copies"))
    pollard = run_stream(stage, port)
    wait_until(lambda: handled(clicks, "clicks", count) and handled(copies, "copies", count), 120,
               "both triggers handled every record")
    assert stop(pollard) == 0
    pollard = run_stream(stage, port)
    put(kinesis, count, count + 20)
    wait_until(lambda: handled(clicks, "clicks", count + 20) and handled(copies, "copies", count + 20), 120,
               "the new records were handled")
    assert stop(pollard) == 0
    assert len(clicks.read()) == count + 20, "a clean restart repeats nothing"
    assert_order_per_key(clicks.read())


def story_reshard(stage, port, count):
    """Split and merge while records flow: order is kept per partition key."""
    kinesis = stage.aws("kinesis", port)
    kinesis.create_stream("clicks", 1)
    clicks = Ledger(stage.path("ledger"))
    put(kinesis, 0, count)
    pollard = run_stream(stage, port)
    wait_until(lambda: handled(clicks, "clicks", count), 120, "the first records were handled")
    only = kinesis.shards("clicks")[0]
    kinesis.call("SplitShard", StreamName="clicks", ShardToSplit=only["ShardId"], NewStartingHashKey=str(1 << 127))
    wait_until(lambda: kinesis.stream_is_active("clicks"), 120, "the split is done")
    put(kinesis, count, 2 * count)
    wait_until(lambda: handled(clicks, "clicks", 2 * count), 120, "the children's records were handled")
    a, b = [s["ShardId"] for s in kinesis.shards("clicks") if s.get("ParentShardId") == only["ShardId"]]
    kinesis.call("MergeShards", StreamName="clicks", ShardToMerge=a, AdjacentShardToMerge=b)
    wait_until(lambda: kinesis.stream_is_active("clicks"), 120, "the merge is done")
    put(kinesis, 2 * count, 3 * count)
    wait_until(lambda: handled(clicks, "clicks", 3 * count), 120, "the merged shard's records were handled")
    assert stop(pollard) == 0
    assert_order_per_key(clicks.read())


EMIT = """
version: 1
aws: {{region: us-east-1, endpoint_urls: {{sqs: "http://127.0.0.1:{sqs}", kinesis: "http://127.0.0.1:{kinesis}"}}}}
store: {{sqlite: {{path: {folder}/state.db}}}}
triggers:
  orders:
    source: {{sqs: {{queue: orders}}}}
    wait_time_seconds: 1
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger, emit: true}}}}
    destination_config: {{on_success: {{destination: "arn:aws:kinesis:us-east-1:000000000000:stream/results"}}}}
  results:
    source: {{kinesis: {{stream: results}}}}
    starting_position: TRIM_HORIZON
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger}}}}
"""


def story_emit(stage, sqs_port, kinesis_port, count):
    """What a queue's handler emits reaches the stream before the queue is
    emptied."""
    sqs, kinesis = stage.aws("sqs", sqs_port), stage.aws("kinesis", kinesis_port)
    url = sqs.create_queue("orders", VisibilityTimeout=5)
    kinesis.create_stream("results", 2)
    bodies = [f"order {i}" for i in range(count)]
    sqs.send_all(url, bodies)
    config = stage.write("pollard.yaml", EMIT.format(sqs=sqs_port, kinesis=kinesis_port, handler=stage.handler(),
                                                     folder=stage.folder))
    pollard, ledger = stage.start_pollard(config), Ledger(stage.path("ledger"))
    wait_until(lambda: set(ledger.data("results")) == set(bodies), 120, "every result came out of the stream")
    wait_until(lambda: sqs.counts(url) == (0, 0, 0), 120, "the queue is empty")
    assert stop(pollard) == 0


# moto is slow: it gets less to do.
STORIES = []
for server, count in ((local, 500), (kinesis_mock, 300), (moto, 100)):
    STORIES.append((f"stream {server.__name__}", story_stream, (server,), (count,)))
for server in (local, kinesis_mock):
    STORIES.append((f"reshard {server.__name__}", story_reshard, (server,), (100,)))
STORIES.append(("emit local", story_emit, (local, local), (100,)))
STORIES.append(("emit elasticmq kinesis_mock", story_emit, (elasticmq, kinesis_mock), (100,)))

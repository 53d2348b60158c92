"""The story of a stream that is split and merged again and again while records
are put, two workers share its shards, and the handler breaks off at random.
"""
import random
import sqlite3
import threading

from servers import kinesis_mock, local
from stage import AwsError, Ledger, stop, wait_until
from streams import assert_order_per_key, handled, put

CONFIG = """
version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store:
  sqlite: {{path: {folder}/state.db}}
  heartbeat: 300ms
  lease_duration: 10s
  checkpoint_interval: 100ms
triggers:
  clicks:
    source: {{kinesis: {{stream: clicks}}}}
    starting_position: TRIM_HORIZON
    batch_size: 20
    parallelization_factor: 3
    retry_backoff: {{base: 20ms, maximum: 200ms}}
    handler:
      library: {handler}
      isolation: thread
      settings: {{path: {folder}/ledger, flaky_percent: 25}}
"""


class Producer:
    """Puts records on a thread of its own until it is told to stop."""

    def __init__(self, client):
        self.client, self.count, self.stopped, self.problem = client, 0, threading.Event(), None
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        try:
            while not self.stopped.wait(0.05):
                put(self.client, self.count, self.count + 10)
                self.count += 10
        except (AwsError, OSError) as problem:
            self.problem = problem

    def stop(self):
        self.stopped.set()
        self.thread.join()
        assert not self.problem, self.problem


def is_closed(shard):
    return shard["SequenceNumberRange"].get("EndingSequenceNumber") is not None


def open_shards(kinesis):
    """Those that take records, by their place."""
    found = [shard for shard in kinesis.shards("clicks") if not is_closed(shard)]
    return sorted(found, key=lambda s: int(s["HashKeyRange"]["StartingHashKey"]))


def reshard(kinesis, chance):
    """Splits one shard or merges two, whichever keeps them between two and five."""
    shards = open_shards(kinesis)
    if len(shards) < 5 and (len(shards) < 3 or chance.random() < 0.5):
        shard = chance.choice(shards)
        low, high = (int(shard["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending"))
        kinesis.call("SplitShard", StreamName="clicks", ShardToSplit=shard["ShardId"],
                     NewStartingHashKey=str((low + high + 1) // 2))
    else:
        at = chance.randrange(len(shards) - 1)
        kinesis.call("MergeShards", StreamName="clicks", ShardToMerge=shards[at]["ShardId"],
                     AdjacentShardToMerge=shards[at + 1]["ShardId"])
    wait_until(lambda: kinesis.stream_is_active("clicks"), 120, "the stream is active again")


def leases(stage):
    """{shard: (owner, state)}"""
    with sqlite3.connect(f"file:{stage.path('state.db')}?mode=ro", uri=True, timeout=10) as store:
        rows = store.execute("SELECT shard, owner, state FROM lease").fetchall()
    store.close()
    return {shard: (owner, state) for shard, owner, state in rows}


def first_and_last(rows):
    """{shard: where its rows begin and end}, of first handlings."""
    found, seen = {}, set()
    for at, (_, shard, _, _, data) in enumerate(rows):
        if data not in seen:
            seen.add(data)
            found[shard] = (found.get(shard, (at, at))[0], at)
    return found


def assert_parents_first(kinesis, rows):
    """Nothing of a child before all of its parents."""
    spans = first_and_last(rows)
    for shard in kinesis.shards("clicks"):
        for parent in (shard.get("ParentShardId"), shard.get("AdjacentParentShardId")):
            if parent in spans and shard["ShardId"] in spans:
                assert spans[parent][1] < spans[shard["ShardId"]][0], (parent, shard["ShardId"], spans)


def story_under_load(stage, port, changes):
    """Every record is handled, those of one key in order, parents before their
    children, and no shard is stuck: each closed one was read to its end."""
    kinesis, seed = stage.aws("kinesis", port), random.randrange(1 << 32)
    print(f"       resharding: seed {seed}", flush=True)
    kinesis.create_stream("clicks", 2)
    config = stage.write("pollard.yaml", CONFIG.format(port=port, handler=stage.handler(), folder=stage.folder))
    workers = [stage.start_pollard(config, name) for name in ("one", "two")]
    producer, ledger, chance = Producer(stage.aws("kinesis", port)), Ledger(stage.path("ledger")), random.Random(seed)
    for _ in range(changes):
        before = producer.count
        wait_until(lambda: producer.count >= before + 30 or producer.problem, 120, "records were put")
        reshard(kinesis, chance)
    producer.stop()
    wait_until(lambda: handled(ledger, "clicks", producer.count), 120, f"{producer.count} records were handled")
    closed = [shard["ShardId"] for shard in kinesis.shards("clicks") if is_closed(shard)]
    assert len(closed) >= changes, closed
    wait_until(lambda: all(leases(stage).get(shard, (None, 0))[1] == 1 for shard in closed), 120,
               "every closed shard has ended")
    wait_until(lambda: len({owner for owner, state in leases(stage).values() if owner and state == 0}) == 2, 120,
               "both workers have shards")
    assert [stop(worker) for worker in workers] == [0, 0]
    rows = ledger.read()
    assert_order_per_key(rows)
    assert_parents_first(kinesis, rows)
    for name in ("one", "two"):
        assert not stage.log_events(name, "shard.failed"), name


STORIES = [("reshard_load local", story_under_load, (local,), (12,)),
           ("reshard_load kinesis_mock", story_under_load, (kinesis_mock,), (6,))]

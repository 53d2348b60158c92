#!/usr/bin/env python3
"""kill -9 at random moments while messages and records flow.

Two workers share one store. A producer adds to a queue and to a stream; again
and again one worker is killed and started anew. Afterwards: every message and
every record was handled at least once, no checkpoint ever went back, nothing
was deleted before it was handled, and each shard was handled in order.
"""
import argparse
import os
import random
import signal
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from stage import Ledger, Stage, stop, wait_until  # noqa: E402

CONFIG = """
version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: {folder}/state.db}}, checkpoint_interval: 100ms}}
stop_grace: 20s
triggers:
  orders:
    source: {{sqs: {{queue: orders}}}}
    wait_time_seconds: 1
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger, delay_ms: 2}}, timeout: 1s}}
    scaling_config: {{maximum_concurrency: 4}}
  clicks:
    source: {{kinesis: {{stream: clicks}}}}
    starting_position: TRIM_HORIZON
    batch_size: 50
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger, delay_ms: 2}}}}
"""


def checkpoints(path):
    """Shard -> sequence number (0 for a start position) as the store has it."""
    if not os.path.exists(path):
        return {}
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5) as db:
        try:
            rows = db.execute("SELECT stream, shard, ckpt FROM lease").fetchall()
        except sqlite3.OperationalError:
            return {}
    return {(stream.split("@")[0], shard): int(c) if c.isdigit() else 0 for stream, shard, c in rows}


def assert_none_went_back(before, after):
    for key, position in before.items():
        assert after.get(key, 0) >= position, f"checkpoint of {key} went back: {position} to {after.get(key)}"


def assert_in_order(rows):
    """A record's first handling comes after the first handling of all before
    it in its shard."""
    highest = {}
    seen = set()
    for _, shard, sequence, _, data in rows:
        if data in seen:
            continue
        seen.add(data)
        assert int(sequence) > highest.get(shard, 0), f"{data} of {shard} was handled out of order"
        highest[shard] = int(sequence)
    return highest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    print(f"crash: seed {options.seed}, {options.kills} kills, {options.count} messages and records", flush=True)

    with Stage(options.build) as stage:
        _, port = stage.start_local()
        sqs, kinesis = stage.aws("sqs", port), stage.aws("kinesis", port)
        url = sqs.create_queue("orders", VisibilityTimeout=3)
        kinesis.create_stream("clicks", 2)
        config = stage.write("pollard.yaml", CONFIG.format(port=port, folder=stage.folder, handler=stage.handler()))
        ledger = Ledger(stage.path("ledger"))
        store = stage.path("state.db")

        workers = [stage.start_pollard(config, f"worker{i}") for i in range(2)]
        sent, known = 0, {}
        for kill in range(options.kills):
            upto = options.count * (kill + 1) // options.kills
            sqs.send_all(url, [f"message-{i}" for i in range(sent, upto)])
            kinesis.put_all("clicks", [(f"key-{i % 97}", f"record-{i}") for i in range(sent, upto)])
            sent = upto
            time.sleep(chance.uniform(0.02, 0.5))
            victim = chance.randrange(2)
            assert workers[victim].poll() is None, "a worker died of itself"
            workers[victim].send_signal(signal.SIGKILL)
            workers[victim].wait()
            deleted = sent - sum(sqs.counts(url))
            handled = len(set(ledger.data("orders")))
            assert deleted <= handled, f"{deleted} messages are gone, but only {handled} were handled"
            now = checkpoints(store)
            assert_none_went_back(known, now)
            known = now
            workers[victim] = stage.start_pollard(config, f"worker{victim}")
        at_the_last_kill = len(set(ledger.data("orders"))), len(set(ledger.data("clicks")))

        def all_handled():
            return len(set(ledger.data("orders"))) == sent and len(set(ledger.data("clicks"))) == sent

        wait_until(all_handled, 120, "every message and record was handled")
        wait_until(lambda: sum(sqs.counts(url)) == 0, 60, "the queue is empty")
        for worker in workers:
            assert stop(worker) == 0, "a clean stop"
        final = checkpoints(store)
        assert_none_went_back(known, final)
        rows = [row for row in ledger.read() if row[0] == "clicks"]
        for shard, highest in assert_in_order(rows).items():
            assert final[("clicks", shard)] == highest, f"{shard} was left at {final[('clicks', shard)]}, not at its end"
        twice = len(ledger.data("orders")) - sent, len(rows) - sent
        print(f"crash: handled at the last kill {at_the_last_kill}; handled more than once: "
              f"{twice[0]} messages, {twice[1]} records")
        print(f"crash: {options.kills} kills, nothing lost, no checkpoint went back")


main()

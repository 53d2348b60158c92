#!/usr/bin/env python3
"""kill -9 at random moments while everything flows.

Two workers share one store. A producer adds to a queue, a FIFO queue and three
streams; again and again one worker is killed and started anew, while the folder
of the failure reports comes and goes. Afterwards, of each trigger:

  orders   every message was handled, none was deleted before
  fifo     likewise, and each group in order
  clicks   every record was handled, each shard in order
  keyed    (lanes, bisection, reports of single records) what always fails was
           reported to the folder and never handled, all else was handled and
           never reported, each key in order
  numbers  (tumbling windows) each window's final state counts every record of
           it exactly once, however often a call was repeated

and no checkpoint ever went back.
"""
import argparse
import base64
import json
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
    handler: {{library: {ledger}, isolation: thread, settings: {{path: {folder}/ledger, delay_ms: 2}}, timeout: 1s}}
    scaling_config: {{maximum_concurrency: 4}}
  fifo:
    source: {{sqs: {{queue: orders.fifo}}}}
    wait_time_seconds: 1
    function_response_types: [ReportBatchItemFailures]
    handler:
      library: {ledger}
      isolation: thread
      timeout: 1s
      settings: {{path: {folder}/ledger, delay_ms: 2, fail: flaky, fail_times: 1, in_order: true}}
  clicks:
    source: {{kinesis: {{stream: clicks}}}}
    starting_position: TRIM_HORIZON
    batch_size: 50
    handler: {{library: {ledger}, isolation: thread, settings: {{path: {folder}/ledger, delay_ms: 2}}}}
  keyed:
    source: {{kinesis: {{stream: keyed}}}}
    starting_position: TRIM_HORIZON
    batch_size: 50
    parallelization_factor: 4
    bisect_batch_on_function_error: true
    maximum_retry_attempts: 3
    retry_backoff: {{base: 5ms, maximum: 20ms}}
    function_response_types: [ReportBatchItemFailures]
    handler:
      library: {ledger}
      isolation: thread
      settings: {{path: {folder}/ledger, delay_ms: 1, throw: poison, fail: flaky, fail_times: 1, in_order: true}}
    destination_config: {{on_failure: {{destination: "file://{folder}/failed/"}}}}
  numbers:
    source: {{kinesis: {{stream: numbers}}}}
    starting_position: TRIM_HORIZON
    batch_size: 20
    tumbling_window_in_seconds: 1
    retry_backoff: {{base: 5ms, maximum: 20ms}}
    handler: {{library: {summing}, isolation: thread, settings: {{path: {folder}/windows, delay_ms: 1}}}}
"""
STREAMS = ("clicks", "keyed", "numbers")
WINDOW_MS = 1000


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


def assert_in_order(rows, lane, position):
    """What is handled first comes after the first handling of all before it in
    its lane. Returns the highest position of each lane."""
    highest, seen = {}, set()
    for row in rows:
        if row[4] in seen:
            continue
        seen.add(row[4])
        assert position(row) > highest.get(lane(row), -1), f"{row[4]} of {lane(row)} was handled out of order"
        highest[lane(row)] = position(row)
    return highest


def number(row):
    """"record-17": the seventeenth that was sent."""
    return int(row[4].split("-")[-1])


class Reports:
    """The folder of the failure reports, which comes and goes."""

    def __init__(self, stage):
        self.folder = stage.path("failed")
        self.inner, self.away = os.path.join(self.folder, "aws"), stage.path("away")
        os.mkdir(self.folder, 0o700)
        self.is_down = False

    def turn(self, down):
        if down == self.is_down:
            return
        self.is_down = down
        if down:
            if os.path.exists(self.inner):
                os.rename(self.inner, self.away)
            open(self.inner, "w").close()
            return
        os.remove(self.inner)
        if os.path.exists(self.away):
            os.rename(self.away, self.inner)

    def texts(self):
        """Of each reported record, again for each report."""
        found = []
        for at, _, names in os.walk(self.folder):
            for name in names:
                if name.startswith(".part"):  # a write that was cut off
                    continue
                with open(os.path.join(at, name)) as report:
                    event = json.loads(json.load(report)["payload"])
                found += [base64.b64decode(r["kinesis"]["data"]).decode() for r in event["Records"]]
        return found


class Load:
    """Sends, a part at a time, and knows what was sent."""

    def __init__(self, stage, port, count):
        self.sqs, self.kinesis = stage.aws("sqs", port), stage.aws("kinesis", port)
        self.url = self.sqs.create_queue("orders", VisibilityTimeout=3)
        self.fifo_url = self.sqs.create_queue("orders.fifo", FifoQueue="true", ContentBasedDeduplication="true",
                                              VisibilityTimeout=2)
        for stream in STREAMS:
            self.kinesis.create_stream(stream, 2)
        self.count, self.sent, self.fifo_sent = count, 0, 0

    def text(self, i):
        return f"poison-{i}" if i % 401 == 7 else f"flaky-{i}" if i % 53 == 3 else f"record-{i}"

    def fifo_text(self, i):
        return f"flaky-{i}" if i % 31 == 3 else f"message-{i}"

    def send(self, upto):
        part = range(self.sent, upto)
        self.sqs.send_all(self.url, [f"message-{i}" for i in part])
        self.kinesis.put_all("clicks", [(f"key-{i % 97}", f"record-{i}") for i in part])
        self.kinesis.put_all("keyed", [(f"key-{i % 23}", self.text(i)) for i in part])
        self.kinesis.put_all("numbers", [(f"key-{i % 97}", str(i)) for i in part])
        self.sent = upto
        self.send_fifo(upto // 10)

    def send_fifo(self, upto):
        for i in range(self.fifo_sent, upto):
            self.sqs.call("SendMessage", QueueUrl=self.fifo_url, MessageBody=self.fifo_text(i),
                          MessageGroupId=f"group-{i % 7}")
        self.fifo_sent = upto

    def close_windows(self):
        """One more number, 0, into each shard, in a window of its own."""
        time.sleep(2 * WINDOW_MS / 1000)
        for shard in self.kinesis.shards("numbers"):
            start = shard["HashKeyRange"]["StartingHashKey"]
            self.kinesis.call("PutRecord", StreamName="numbers", PartitionKey="end", ExplicitHashKey=start,
                              Data=base64.b64encode(b"0").decode())

    def deleted(self, url, sent):
        return sent - sum(self.sqs.counts(url))


def assert_handled_before_deleted(load, ledger):
    for trigger, url, sent in ("orders", load.url, load.sent), ("fifo", load.fifo_url, load.fifo_sent):
        deleted, handled = load.deleted(url, sent), len(set(ledger.data(trigger)))
        assert deleted <= handled, f"{deleted} messages of {trigger} are gone, but only {handled} were handled"


def rows_of(ledger, trigger):
    return [row for row in ledger.read() if row[0] == trigger]


def assert_keyed(load, ledger, reports):
    """What always fails, and nothing else, was reported."""
    reported, rows = reports.texts(), rows_of(ledger, "keyed")
    poison = {load.text(i) for i in range(load.sent) if load.text(i).startswith("poison")}
    strangers = set(reported) - poison
    assert not strangers, f"reported, though they can be handled: {sorted(strangers)[:5]}"
    assert set(reported) == poison, f"neither handled nor reported: {sorted(poison - set(reported))[:5]}"
    assert not poison & {row[4] for row in rows}, "what always fails was handled"
    assert_in_order(rows, lambda row: row[3], number)
    return len(rows) - (load.sent - len(poison)), len(reported) - len(poison)


def assert_windows(load, windows):
    """Every final call of a window says the same, and together they have each
    number once."""
    known, again = {}, 0
    for _, shard, start, count, total in windows.read():
        figures = int(count), int(total)
        again += (shard, start) in known
        assert known.setdefault((shard, start), figures) == figures, \
            f"window {start} of {shard} ended twice, with {known[(shard, start)]} and with {figures}"
    counted = sum(count for count, _ in known.values())
    assert counted == load.sent, f"{load.sent} numbers were sent, {counted} counted"
    assert sum(total for _, total in known.values()) == sum(range(load.sent)), "the sum is wrong"
    return len(known), again


def count_of(windows):
    return sum(int(count) for (count, _) in {(row[1], row[2]): row[3:] for row in windows.read()}.values())


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
        load, reports = Load(stage, port, options.count), Reports(stage)
        config = stage.write("pollard.yaml", CONFIG.format(
            port=port, folder=stage.folder, ledger=stage.handler(), summing=stage.handler("summing")))
        ledger, windows, store = Ledger(stage.path("ledger")), Ledger(stage.path("windows")), stage.path("state.db")

        workers = [stage.start_pollard(config, f"worker{i}") for i in range(2)]
        known = {}
        for kill in range(options.kills):
            load.send(options.count * (kill + 1) // options.kills)
            reports.turn(down=chance.random() < 0.3)
            time.sleep(chance.uniform(0.02, 0.5))
            victim = chance.randrange(2)
            assert workers[victim].poll() is None, "a worker died of itself"
            workers[victim].send_signal(signal.SIGKILL)
            workers[victim].wait()
            assert_handled_before_deleted(load, ledger)
            now = checkpoints(store)
            assert_none_went_back(known, now)
            known = now
            workers[victim] = stage.start_pollard(config, f"worker{victim}")
        at_the_last_kill = [len(set(ledger.data(trigger))) for trigger in ("orders", "fifo", "clicks", "keyed")]
        reports.turn(down=False)
        load.close_windows()
        poisons = sum(load.text(i).startswith("poison") for i in range(load.sent))

        wait_until(lambda: len(set(ledger.data("keyed")) | set(reports.texts())) == load.sent, 60,
                   "every keyed record was handled or reported")
        for trigger, sent in (("orders", load.sent), ("fifo", load.fifo_sent), ("clicks", load.sent),
                              ("keyed", load.sent - poisons)):
            wait_until(lambda: len(set(ledger.data(trigger))) == sent, 120, f"all of {trigger} was handled")
        wait_until(lambda: len(set(reports.texts())) >= poisons, 60, "what always fails was reported")
        wait_until(lambda: count_of(windows) >= load.sent, 60, "every window has ended")
        for url in load.url, load.fifo_url:
            wait_until(lambda: sum(load.sqs.counts(url)) == 0, 60, "the queue is empty")
        for worker in workers:
            assert stop(worker) == 0, "a clean stop"

        final = checkpoints(store)
        assert_none_went_back(known, final)
        rows = rows_of(ledger, "clicks")
        for shard, highest in assert_in_order(rows, lambda row: row[1], lambda row: int(row[2])).items():
            assert final[("clicks", shard)] == highest, f"{shard} was left at {final[('clicks', shard)]}, not at its end"
        assert_in_order(rows_of(ledger, "fifo"), lambda row: row[3], number)
        keyed, reported = assert_keyed(load, ledger, reports)
        ended, ended_again = assert_windows(load, windows)
        print(f"crash: handled at the last kill: {at_the_last_kill} of orders, fifo, clicks, keyed")
        print(f"crash: more than once: {len(ledger.data('orders')) - load.sent} messages, "
              f"{len(ledger.data('fifo')) - load.fifo_sent} of FIFO, {len(rows) - load.sent} and {keyed} records, "
              f"{reported} reports, {ended_again} of {ended} windows' ends")
        print(f"crash: {options.kills} kills, nothing lost, no checkpoint went back, every key in order, "
              "every sum exact")


main()

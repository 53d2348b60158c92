#!/usr/bin/env python3
"""SIGHUP that changes one trigger setting while records are inside: it takes
effect, what was in flight is finished first, nothing is lost, nothing of a
shard is handled out of order, and a window's state lives on.
"""
import json
import os
import sqlite3
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from stage import Ledger, wait_until  # noqa: E402
from whole import WholePollard  # noqa: E402

WholePollard.BUILD = sys.argv.pop(1)

BOUNDED = "maximum_retry_attempts: 3"


class Reload(WholePollard):
    def stream(self, *more, **settings):
        return ["source: {kinesis: {stream: clicks}}", "starting_position: TRIM_HORIZON",
                "retry_backoff: {base: 10ms, maximum: 20ms}", f"handler: {self.handler(**settings)}", *more]

    def queue(self, *more, **settings):
        return ["source: {sqs: {queue: orders}}", "wait_time_seconds: 1", f"handler: {self.handler(**settings)}",
                *more]

    def put(self, *texts):
        self.kinesis.put_all("clicks", [(text.split("-")[0], text) for text in texts])

    def assert_in_order(self, trigger, bodies, once=True):
        """All of them, each key in order of what was handled first. Once each:
        the old poller drained before the new one began."""
        handled = self.ledger.data(trigger)
        first = list(dict.fromkeys(handled))
        self.assertEqual(sorted(handled if once else first), sorted(bodies))
        for key in {text.split("-")[0] for text in bodies}:
            numbers = [int(text.split("-")[1]) for text in first if text.startswith(key + "-")]
            self.assertEqual(numbers, sorted(numbers), key)


class Streams(Reload):
    def swaps(self, before, after, once=True):
        """Half of the records before the reload, half behind it, while some are
        running."""
        self.kinesis.create_stream("clicks", 1)
        bodies = [f"k{n % 5}-{n}" for n in range(200)]
        self.start(clicks=self.stream("batch_size: 3", *before, delay_ms=5))
        self.put(*bodies[:100])
        wait_until(lambda: len(self.ledger.data("clicks")) > 10, 30, "it works")
        self.reload(clicks=self.stream("batch_size: 3", *after, delay_ms=5))
        self.put(*bodies[100:])
        self.wait_handled("clicks", bodies)
        self.stop()
        self.assert_in_order("clicks", bodies, once)
        self.assertEqual(self.events("worker.stopped")[-1]["left_hidden"], 0)

    def test_ten_lanes_become_one(self):
        """What fast lanes did ahead of the checkpoint is done again."""
        self.swaps(["parallelization_factor: 10"], ["parallelization_factor: 1"], once=False)

    def test_one_lane_becomes_ten(self):
        self.swaps([], ["parallelization_factor: 10"])

    def test_bisection_and_bounds(self):
        self.swaps([], ["bisect_batch_on_function_error: true", BOUNDED, "maximum_record_age_in_seconds: 3600"])

    def test_responses_rate_and_breaker(self):
        self.swaps([], ["function_response_types: [ReportBatchItemFailures]",
                        "rate_limit: {records_per_second: 500}", "circuit_breaker: {failures: 3}"])

    def test_a_batching_window(self):
        self.swaps(["maximum_batching_window_in_seconds: 1"], ["maximum_batching_window_in_seconds: 0"])

    def test_deaggregation(self):
        self.swaps([], ["deaggregate: auto"])

    def test_the_bound_lets_go_of_a_shard_that_is_blocked(self):
        """AWS's defaults hold it; the warning says so, once; a reload mends it."""
        self.kinesis.create_stream("clicks", 4)
        trigger = self.stream("batch_size: 1", fail="poison", fail_times=1000000)
        self.start(clicks=trigger)
        warning, = self.events("trigger.may_block")
        self.assertEqual((warning["trigger"], warning["level"]), ("clicks", "warn"))
        self.kinesis.put_all("clicks", [("k", "poison"), ("k", "behind")])
        wait_until(lambda: self.counters("clicks")["FailedInvokeEventCount"] > 3, 30, "it is retried")
        self.reload(clicks=trigger)
        self.assertEqual(self.events("reload.done")[-1]["kept"], 1)
        self.assertEqual(self.ledger.data("clicks"), [])
        self.reload(clicks=[*trigger, "maximum_retry_attempts: 0"])
        self.wait_handled("clicks", ["behind"])
        event = self.wait_event("records.discarded", trigger="clicks")
        self.assertIn("there is no on_failure destination", event["reported"])
        self.assertEqual(len(self.events("trigger.may_block")), 1)
        self.reload(clicks=trigger)
        self.wait_event("trigger.may_block", 2)
        self.stop()

    def test_a_filter(self):
        self.kinesis.create_stream("clicks", 1)

        def wants(kind):
            return self.stream(BOUNDED, 'filter_criteria: {filters: [{pattern: {data: {kind: [%s]}}}]}' % kind)

        def click(kind, number):
            return json.dumps({"kind": kind, "number": number})

        self.start(clicks=wants("a"))
        self.put(click("a", 1), click("b", 1))
        self.wait_handled("clicks", [click("a", 1)])
        wait_until(lambda: self.counters("clicks")["pollard_records_done_total"] == 2, 30, "both are done with")
        self.reload(clicks=wants("b"))
        self.put(click("a", 2), click("b", 2))
        self.wait_handled("clicks", [click("b", 2)])
        self.stop()
        self.assertEqual(self.ledger.data("clicks"), [click("a", 1), click("b", 2)])

    def test_a_destination_that_is_down_is_replaced(self):
        """What waited for the old one goes to the new one."""
        self.kinesis.create_stream("clicks", 1)
        folders = [self.stage.path(name) for name in ("old", "new")]
        for folder in folders:
            os.mkdir(folder, 0o700)

        def reports_to(folder):
            return self.stream("batch_size: 1", "maximum_retry_attempts: 0",
                               "destination_config: {on_failure: {destination: 'file://%s/'}}" % folder,
                               fail="poison", fail_times=1000000)

        self.start(clicks=reports_to(folders[0]))
        open(os.path.join(folders[0], "aws"), "w").close()
        self.put("poison", "behind")
        self.wait_event("destination.failed", trigger="clicks")
        self.assertEqual(self.ledger.data("clicks"), [])
        self.reload(clicks=reports_to(folders[1]))
        self.wait_handled("clicks", ["behind"])
        self.stop()
        found = [os.path.join(at, name) for at, _, names in os.walk(folders[1]) for name in names]
        self.assertEqual(len(found), 1)


class Windows(Reload):
    """summing: a window's final call writes its count and sum."""

    def setUp(self):
        super().setUp()
        self.kinesis.create_stream("clicks", 1)
        self.windows = Ledger(self.stage.path("windows"))
        self.sent = 0

    def trigger(self, seconds, *more):
        return ["source: {kinesis: {stream: clicks}}", "starting_position: TRIM_HORIZON", BOUNDED,
                f"handler: {self.handler('summing', path=self.windows.path)}",
                *([f"tumbling_window_in_seconds: {seconds}"] if seconds else []), *more]

    def add(self, count):
        self.kinesis.put_all("clicks", [("k", "1")] * count)
        self.sent += count
        wait_until(lambda: self.counted() == count, 30, "they are counted")

    def stored(self):
        with sqlite3.connect(f"file:{self.stage.path('state.db')}?mode=ro", uri=True) as store:
            row = store.execute("SELECT text FROM lease_window").fetchone()
        store.close()
        return json.loads(row[0]) if row and row[0] else None

    def counted(self):
        stored = self.stored()
        return stored["state"]["count"] if stored else 0

    def far_from_a_windows_end(self):
        """The length of a window that all the test's records fall into."""
        return max((600, 660, 780, 900), key=lambda seconds: seconds - time.time() % seconds)

    def test_goes_on_when_something_else_changes(self):
        seconds = self.far_from_a_windows_end()
        self.start(clicks=self.trigger(seconds))
        self.add(5)
        before = self.stored()
        self.reload(clicks=self.trigger(seconds, "batch_size: 2", "parallelization_factor: 10"))
        self.wait_event("window.resumed", trigger="clicks")
        self.kinesis.put_all("clicks", [("k", "1")] * 3)
        wait_until(lambda: self.counted() == 8, 30, "it counts on")
        self.assertEqual((self.stored()["start"], self.stored()["end"]), (before["start"], before["end"]))
        self.assertEqual(self.windows.read(), [])
        self.stop()

    def ends_early(self, seconds, *more):
        """The open window of another length: a final call, said as early, with
        all that it had counted."""
        self.start(clicks=self.trigger(self.far_from_a_windows_end()))
        self.add(5)
        before = self.stored()
        self.reload(clicks=self.trigger(seconds, *more))
        self.wait_event("window.resumed", trigger="clicks")
        event = self.wait_event("window.terminated_early", trigger="clicks")
        self.assertEqual((event["start_ms"], event["end_ms"]), (before["start"], before["end"]))
        wait_until(lambda: self.windows.read(), 30, "the final call was made")
        self.assertEqual(self.windows.read(), [("clicks", "shardId-000000000000", str(before["start"]), "5", "5")])

    def test_of_another_length(self):
        self.ends_early(120)
        self.kinesis.put_all("clicks", [("k", "1")] * 2)
        wait_until(lambda: self.counted() == 2, 30, "a new window counts anew")
        self.assertEqual(self.stored()["end"] - self.stored()["start"], 120000)
        self.stop()
        self.assertEqual(len(self.windows.read()), 1)

    def test_turned_off(self):
        self.ends_early(0)
        wait_until(lambda: self.stored() is None, 30, "no state is kept")
        self.reload(clicks=self.stream(BOUNDED))
        self.put("k-1", "k-2")
        self.wait_handled("clicks", ["k-1", "k-2"])
        self.stop()

    def test_turned_on(self):
        self.start(clicks=self.stream(BOUNDED))
        self.put("k-1")
        self.wait_handled("clicks", ["k-1"])
        wait_until(lambda: self.counters("clicks")["pollard_records_done_total"] == 1, 30, "it is done")
        self.reload(clicks=self.trigger(self.far_from_a_windows_end()))
        self.add(4)
        self.stop()
        self.assertEqual(self.stored()["state"], {"count": 4, "sum": 4})


class Queues(Reload):
    def swaps(self, before, after, fifo=False):
        name = "orders.fifo" if fifo else "orders"
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        url = self.sqs.create_queue(name, VisibilityTimeout=30, **attributes)
        bodies = [f"k{n % 5}-{n}" for n in range(120)]

        def send(part):
            if not fifo:
                self.sqs.send_all(url, part)
            for body in part if fifo else []:
                self.sqs.call("SendMessage", QueueUrl=url, MessageBody=body, MessageGroupId=body.split("-")[0])

        def trigger(more):
            return [line.replace("queue: orders", f"queue: {name}") for line in self.queue(*more, delay_ms=5)]

        self.start(orders=trigger(before))
        send(bodies[:60])
        wait_until(lambda: len(self.ledger.data("orders")) > 10, 30, "it works")
        self.reload(orders=trigger(after))
        send(bodies[60:])
        self.wait_handled("orders", bodies)
        wait_until(lambda: sum(self.sqs.counts(url)) == 0, 60, "the queue is empty")
        self.stop()
        if fifo:
            self.assert_in_order("orders", bodies)
        self.assertEqual(sorted(self.ledger.data("orders")), sorted(bodies))

    def test_concurrency_and_batches(self):
        self.swaps(["batch_size: 2", "scaling_config: {maximum_concurrency: 8}"],
                   ["batch_size: 10", "scaling_config: {maximum_concurrency: 1}"])

    def test_a_window_and_large_batches(self):
        self.swaps([], ["batch_size: 100", "maximum_batching_window_in_seconds: 1"])

    def test_heartbeat_backoff_and_breaker(self):
        self.swaps([], ["visibility_timeout: 10s", "visibility_heartbeat: true", "retry_backoff: {}",
                        "circuit_breaker: {failures: 3}", "rate_limit: {records_per_second: 500}"])

    def test_what_becomes_of_a_fifo_groups_failures(self):
        self.swaps(["fifo_failure: lambda"], ["fifo_failure: release_group"], fifo=True)

    def test_what_is_filtered_is_moved_elsewhere(self):
        url, aside = self.sqs.create_queue("orders"), self.sqs.create_queue("aside")
        only = "filter_criteria: {filters: [{pattern: {body: [wanted]}}]}"
        self.start(orders=self.queue(only))
        self.sqs.send_all(url, ["wanted", "unwanted"])
        wait_until(lambda: sum(self.sqs.counts(url)) == 0, 30, "one is handled, one deleted")
        self.reload(orders=self.queue(only, 'on_filtered: "arn:aws:sqs:us-east-1:000000000000:aside"'))
        self.sqs.send_all(url, ["wanted", "unwanted"])
        wait_until(lambda: sum(self.sqs.counts(url)) == 0, 30, "one is handled, one moved")
        self.assertEqual(sum(self.sqs.counts(aside)), 1)
        self.stop()
        self.assertEqual(self.ledger.data("orders"), ["wanted", "wanted"])


if __name__ == "__main__":
    unittest.main(verbosity=1)

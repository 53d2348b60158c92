#!/usr/bin/env python3
"""Example configurations do what their comments say, on the embedded server."""
import base64
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from stage import wait_until  # noqa: E402
from whole import WholePollard  # noqa: E402

WholePollard.BUILD = sys.argv.pop(1)


class Examples(WholePollard):
    def env(self):
        return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", "TMPDIR": self.stage.folder,
                "HANDLERS": os.path.abspath(self.BUILD) + "/handlers"}

    def run_example(self, name, window=None):
        path = "config/" + name
        if window:  # a minute is long
            with open(path) as example:
                text = example.read().replace("tumbling_window_in_seconds: 60", f"tumbling_window_in_seconds: {window}")
            path = self.stage.write(name, text)
        os.environ.update(self.env())
        self.addCleanup(lambda: [os.environ.pop(name) for name in self.env()])
        self.pollard = self.stage.start_pollard(path, env=self.env())
        self.wait_event("worker.started")
        return path

    def printed(self):
        with open(self.stage.path("pollard.log")) as log:
            return [line.strip() for line in log if not line.startswith("{")]

    def test_failures(self):
        self.kinesis.create_stream("payments", 1)
        path = self.run_example("failures.yaml")
        self.kinesis.put_all("payments", [("k", text) for text in ('{"id": 1}', '{"id": 2}', "broken", '{"id": 4}')])
        wait_until(lambda: self.counters("payments")["pollard_records_done_total"] == 4, 60, "all are done with")
        self.assertEqual(self.counters("payments")["OnFailureDestinationDeliveredEventCount"], 1)
        self.stop()
        listed = self.command("failed", "list", "-c", path, "payments").stdout
        self.assertRegex(listed, "RetryAttemptsExhausted +1 record ")
        shown = json.loads(self.command("failed", "show", listed.split()[-1]).stdout)
        self.assertEqual(base64.b64decode(shown["payload"]["Records"][0]["kinesis"]["data"]), b"broken")
        self.assertEqual(shown["requestContext"]["approximateInvokeCount"], 4)

    def test_windows(self):
        self.kinesis.create_stream("visits", 1)
        self.run_example("kinesis-windows.yaml", window=1)
        wait_until(lambda: self.events("lease.acquired", trigger="show"), 30, "the second trigger reads")
        ends = time.time() + 1
        self.kinesis.put_all("visits", [("home", "1"), ("cart", "2"), ("home", "3"), ("robots", "4")])
        wait_until(lambda: time.time() > ends + 1, 30, "it is another window's time")
        self.kinesis.put_all("visits", [("later", "5")])
        counts = {}

        def all_counted():
            counts.clear()
            for line in self.printed():
                if line.startswith("visits shardId"):
                    _, _, _, key, count = line.split(" ")
                    counts[key] = counts.get(key, 0) + int(count)
            return sum(counts.values()) == 4

        wait_until(all_counted, 60, "a window ends")
        self.assertEqual(counts, {'"home"': 2, '"cart"': 1, '"robots"': 1})
        wait_until(lambda: any("key=later" in line for line in self.printed()), 60, "the second trigger shows")
        self.stop()
        self.assertFalse([line for line in self.printed() if line.startswith("show") and "key=robots" in line])

    def test_fifo(self):
        urls = {name: self.sqs.create_queue(name, FifoQueue="true", ContentBasedDeduplication="true")
                for name in ("transfers.fifo", "refunds.fifo")}
        odd = self.sqs.create_queue("refunds-odd")
        for group in ("a", "b"):
            for n in range(5):
                self.sqs.call("SendMessage", QueueUrl=urls["transfers.fifo"], MessageBody=f"{group}{n}",
                              MessageGroupId=group)
        for cents in (100, -1):
            self.sqs.call("SendMessage", QueueUrl=urls["refunds.fifo"], MessageBody=json.dumps({"cents": cents}),
                          MessageGroupId="a")
        self.run_example("fifo.yaml")
        for url in urls.values():
            wait_until(lambda: sum(self.sqs.counts(url)) == 0, 60, "the queue is empty")
        self.stop()
        for group in ("a", "b"):
            lines = [line[-2:] for line in self.printed() if line.startswith("transfers") and line[-2] == group]
            self.assertEqual(lines, [f"{group}{n}" for n in range(5)])
        self.assertEqual([line.split(" ")[-1] for line in self.printed() if line.startswith("refunds")], ["100}"])
        self.assertEqual(sum(self.sqs.counts(odd)), 1)


if __name__ == "__main__":
    unittest.main(verbosity=1)

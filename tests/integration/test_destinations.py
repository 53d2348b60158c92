#!/usr/bin/env python3
"""On-failure destinations that are down, for every reason there is: the shard
is held, with backoff, and that is said; the checkpoint stays in front of what
was not reported. When the destination is back, exactly what was given up is
reported, once, and the shard goes on.
"""
import base64
import http.server
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from stage import AwsError, wait_until  # noqa: E402
from whole import WholePollard  # noqa: E402

WholePollard.BUILD = sys.argv.pop(1)

ACCOUNT = "000000000000"


class Sink(http.server.ThreadingHTTPServer):
    """An HTTP destination: `answer(handler)` is how it answers, or None."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SinkHandler)
        self.answer, self.bodies, self.asked = None, [], 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/failed"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, address):
        pass


class SinkHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        answer = self.server.answer
        if answer:
            answer(self)
            return
        self.server.bodies.append(body)
        self.status(204)

    def status(self, number):
        self.send_response(number)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Destinations(WholePollard):
    POISON = "poison"

    def trigger(self, destination, *more, fail=POISON):
        on_failure = json.dumps({"on_failure": {"destination": destination}})
        return ["source: {kinesis: {stream: clicks}}", "starting_position: TRIM_HORIZON", "batch_size: 1",
                "maximum_retry_attempts: 1", "retry_backoff: {base: 10ms, maximum: 20ms}",
                f"handler: {self.handler(fail=fail, fail_times=1000000)}",
                f"destination_config: {on_failure}", *more]

    def begin(self, destination):
        """Runs, with one good record behind it."""
        self.kinesis.create_stream("clicks", 1)
        self.start(clicks=self.trigger(destination))
        self.put("first")
        self.wait_handled("clicks", ["first"])

    def put(self, *texts):
        self.kinesis.put_all("clicks", [("k", text) for text in texts])

    def checkpoint(self):
        with sqlite3.connect(f"file:{self.stage.path('state.db')}?mode=ro", uri=True) as store:
            row = store.execute("SELECT ckpt FROM lease").fetchone()
        store.close()
        return row[0]

    def is_held(self, *words, said="destination.failed"):
        """Said, and nothing behind the poison was touched or checkpointed."""
        event = self.wait_event(said, trigger="clicks")
        for word in words:
            self.assertIn(word, event["error"])
        self.assertEqual(event["held"] if said == "destination.failed" else event["deliveries"], 1)
        self.assertEqual(event["shard"], "shardId-000000000000")
        self.assertNotIn("behind", self.ledger.data("clicks"))
        counters = self.counters("clicks")
        self.assertEqual((counters["pollard_records_done_total"], counters["OnFailureDestinationDeliveredEventCount"],
                          counters["DroppedEventCount"]), (1, 0, 0))

    def goes_on(self, reports, count=1):
        """The reports are those of `count` poisons, and what is behind them is
        handled, all of it once."""
        self.wait_handled("clicks", ["behind"])
        wait_until(lambda: self.counters("clicks")["pollard_records_done_total"] == count + 2, 30, "all is done")
        counters = self.counters("clicks")
        self.assertEqual((counters["OnFailureDestinationDeliveredEventCount"], counters["DroppedEventCount"]),
                         (count, 0))
        self.assertEqual(self.ledger.data("clicks"), ["first", "behind"])
        self.stop()
        reports = reports()
        self.assertEqual(len(reports), count)
        for report in reports:
            self.assertEqual(report["requestContext"]["condition"], "RetryAttemptsExhausted")
            self.assertEqual(report["requestContext"]["approximateInvokeCount"], 2)
            self.assertEqual(report["KinesisBatchInfo"]["batchSize"], 1)
        return reports

    def poisons(self, reports):
        return [base64.b64decode(r["kinesis"]["data"]).decode() for report in reports
                for r in json.loads(report["payload"])["Records"]]


class Folders(Destinations):
    def setUp(self):
        super().setUp()
        self.folder = self.stage.path("failed")
        os.mkdir(self.folder, 0o700)

    def reports(self):
        found = []
        for at, _, names in os.walk(self.folder):
            for name in names:
                self.assertFalse(name.startswith("."), "a part was left")
                with open(os.path.join(at, name)) as f:
                    found.append(json.load(f))
        return found

    def test_a_folder_that_is_removed(self):
        self.begin(f"file://{self.folder}/")
        shutil.rmtree(self.folder)
        self.put("poison", "behind")
        self.is_held(self.folder, "No such file or directory")
        self.assertFalse(os.path.exists(self.folder))  # it may be a mount that is gone
        os.mkdir(self.folder, 0o700)
        self.assertEqual(self.poisons(self.goes_on(self.reports)), ["poison"])

    def test_a_file_in_the_folders_place(self):
        self.begin(f"file://{self.folder}/")
        os.rmdir(self.folder)
        open(self.folder, "w").close()
        self.put("poison", "behind")
        self.is_held(self.folder, "Not a directory")
        os.remove(self.folder)
        os.mkdir(self.folder, 0o700)
        self.goes_on(self.reports)

    def test_a_folder_that_may_not_be_written_to(self):
        self.begin(f"file://{self.folder}/")
        inside = os.path.join(self.folder, "aws")
        if os.geteuid():
            os.chmod(self.folder, 0o500)
        else:  # root may write anywhere, but not into a file
            open(inside, "w").close()
        self.put("poison", "behind")
        self.is_held(self.folder, "Permission denied" if os.geteuid() else "Not a directory")
        if os.geteuid():
            os.chmod(self.folder, 0o700)
        else:
            os.remove(inside)
        self.goes_on(self.reports)

    def test_a_symbolic_link_is_not_followed(self):
        """Who may write to the folder's parts cannot send reports elsewhere."""
        self.begin(f"file://{self.folder}/")
        os.mkdir(self.stage.path("elsewhere"))
        os.symlink(self.stage.path("elsewhere"), os.path.join(self.folder, "aws"))
        self.put("poison", "behind")
        self.is_held(self.folder)
        self.assertEqual(os.listdir(self.stage.path("elsewhere")), [])
        os.remove(os.path.join(self.folder, "aws"))
        self.goes_on(self.reports)

    def test_a_full_disk(self):
        """A report of over 1 MiB; a disk of 1 MiB, or, where nothing can be
        mounted, files of 1 MiB at most."""
        disk = Disk(self.folder)
        self.addCleanup(disk.close)
        self.begin(f"file://{self.folder}/")
        disk.shrink(self.pollard.pid)
        self.put("poison" + "x" * 900000, "behind")
        self.is_held(disk.words)
        disk.grow(self.pollard.pid)
        poison, = self.poisons(self.goes_on(self.reports))
        self.assertEqual(len(poison), 900006)

    def test_killed_and_started_anew_meanwhile(self):
        self.begin(f"file://{self.folder}/")
        wait_until(lambda: self.checkpoint().isdigit(), 20, "the first record is checkpointed")
        checkpoint = self.checkpoint()
        inside = os.path.join(self.folder, "aws")
        open(inside, "w").close()
        self.put("poison", "behind")
        self.is_held("Not a directory")
        for told in range(2, 5):
            self.kill()
            self.assertEqual(self.checkpoint(), checkpoint)
            self.pollard = self.stage.start_pollard(self.stage.path("pollard.yaml"))
            self.wait_event("destination.failed", told, trigger="clicks")
        self.assertEqual(self.ledger.data("clicks"), ["first"])
        os.remove(inside)
        self.wait_handled("clicks", ["behind"])
        self.assertEqual(self.ledger.data("clicks"), ["first", "behind"])
        self.stop()
        self.assertEqual(self.poisons(self.reports()), ["poison"])

    def test_a_start_whose_folder_is_none(self):
        os.rmdir(self.folder)
        open(self.folder, "w").close()
        done = self.command("run", "-c", self.write(clicks=self.trigger(f"file://{self.folder}/")))
        self.assertEqual(done.returncode, 78)
        self.assertIn(f"destination_config.on_failure.destination: folder {self.folder}/: Not a directory", done.stderr)

    def test_a_stop_meanwhile_loses_nothing(self):
        self.begin(f"file://{self.folder}/")
        shutil.rmtree(self.folder)
        self.put("poison", "behind")
        self.is_held("No such file")
        self.stop()  # cleanly: it does not wait for what may never come
        os.mkdir(self.folder, 0o700)
        self.pollard = self.stage.start_pollard(self.stage.path("pollard.yaml"))
        self.wait_handled("clicks", ["behind"])
        wait_until(lambda: len(self.reports()) == 1, 30, "the poison is reported")
        self.stop()


class Disk:
    """A folder whose disk has 1 MiB, and more when grown."""

    def __init__(self, folder):
        self.folder = folder
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "none", folder],
                                 capture_output=True)
        self.mounted = mounted.returncode == 0
        self.words = "No space left on device" if self.mounted else "File too large"

    def shrink(self, pid):
        if not self.mounted:
            self.limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1 << 20, self.limits[1]))

    def grow(self, pid):
        if self.mounted:
            subprocess.run(["mount", "-o", "remount,size=8m", self.folder], check=True)
        else:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, self.limits)

    def close(self):
        if self.mounted:
            subprocess.run(["umount", self.folder], check=True)


class Servers(Destinations):
    def setUp(self):
        super().setUp()
        self.sink = Sink()
        self.addCleanup(self.sink.server_close)
        self.addCleanup(self.sink.shutdown)

    def reports(self):
        return [json.loads(body) for body in self.sink.bodies]

    def heals(self, answer, *words, said="destination.failed", asked=3):
        self.begin(self.sink.url)
        self.sink.answer = answer
        self.put("poison", "behind")
        self.is_held(*words, said=said)
        wait_until(lambda: self.sink.asked >= asked, 30, "it is tried again and again")
        self.sink.answer = None
        self.assertEqual(self.poisons(self.goes_on(self.reports)), ["poison"])

    def test_500(self):
        self.heals(lambda handler: handler.status(500), "500")

    def test_503(self):
        self.heals(lambda handler: handler.status(503), "503")

    def test_429(self):
        self.heals(lambda handler: handler.status(429), "429")

    def test_401(self):
        self.heals(lambda handler: handler.status(401), "401", said="destination.refused", asked=2)

    def test_400(self):
        """It will hardly ever be accepted; it is held all the same."""
        self.heals(lambda handler: handler.status(400), "400", said="destination.refused", asked=2)

    def test_a_connection_that_is_closed(self):
        def close(handler):
            handler.close_connection = True

        self.heals(close, "127.0.0.1")

    def test_garbage(self):
        def garbage(handler):
            handler.wfile.write(b"\0\1\2garbage\r\n\r\n")
            handler.close_connection = True

        self.heals(garbage, "does not speak HTTP", said="destination.refused", asked=2)

    def test_a_server_that_hangs(self):
        """It holds the shard; once it lets go of the connection, it is told."""
        let_go = threading.Event()
        self.addCleanup(let_go.set)

        def hang(handler):
            let_go.wait(60)
            handler.close_connection = True

        self.begin(self.sink.url)
        self.sink.answer = hang
        self.put("poison", "behind")
        wait_until(lambda: self.sink.asked == 1, 30, "the report is under way")
        self.assertNotIn("behind", self.ledger.data("clicks"))
        let_go.set()
        self.is_held("127.0.0.1")
        self.sink.answer = None
        self.goes_on(self.reports)

    def test_nobody_listens(self):
        self.begin(self.sink.url)
        address = self.sink.server_address
        self.sink.shutdown()
        self.sink.server_close()
        self.put("poison", "behind")
        self.is_held(f"127.0.0.1:{address[1]}")
        http.server.ThreadingHTTPServer.allow_reuse_address = True
        again = Sink.__new__(Sink)
        http.server.ThreadingHTTPServer.__init__(again, address, SinkHandler)
        again.answer, again.bodies, again.asked = None, [], 0
        threading.Thread(target=again.serve_forever, daemon=True).start()
        self.sink = again
        self.goes_on(self.reports)


class Queues(Destinations):
    def test_a_queue_that_is_missing(self):
        self.begin(f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead")
        self.put("poison", "behind")
        wait_until(lambda: any("dead" in json.dumps(e) for name in ("destination.missing", "destination.failed",
                                                                     "sqs.queue_missing")
                               for e in self.events(name, trigger="clicks")), 40, "the missing queue is told")
        self.assertNotIn("behind", self.ledger.data("clicks"))
        url = self.sqs.create_queue("dead")
        self.goes_on(lambda: self.received(url))

    def test_a_queue_that_is_deleted_and_made_anew(self):
        url = self.sqs.create_queue("dead")
        self.begin(f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead")
        self.put("poison")
        wait_until(lambda: self.counters("clicks")["OnFailureDestinationDeliveredEventCount"] == 1, 30, "reported")
        self.sqs.call("DeleteQueue", QueueUrl=url)
        self.put("poison", "behind")
        wait_until(lambda: self.counters("clicks")["FailedInvokeEventCount"] == 4, 30, "the second is given up")
        with self.assertRaises(AwsError):
            self.sqs.counts(url)
        self.assertNotIn("behind", self.ledger.data("clicks"))
        url = self.sqs.create_queue("dead")
        self.wait_handled("clicks", ["behind"])
        wait_until(lambda: self.counters("clicks")["pollard_records_done_total"] == 4, 30, "all is done")
        self.stop()
        self.assertEqual(len(self.received(url)), 1)

    def received(self, url):
        return [json.loads(m["Body"]) for m in
                self.sqs.call("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])]


if __name__ == "__main__":
    unittest.main(verbosity=1)

#!/usr/bin/env python3
"""A whole pollard: command line, start, service manager, reload, stop, and the
mistakes that users make. On the embedded server.
"""
import http.client
import http.server
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from stage import Ledger, Stage, free_port, stop, wait_until  # noqa: E402

BUILD = sys.argv.pop(1)

HEAD = """version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: {folder}/state.db}}}}
stop_grace: {grace}
triggers:
"""
QUEUE = """  {name}:
    source: {{sqs: {{queue: {queue}}}}}
    wait_time_seconds: 1
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger, delay_ms: {delay_ms}}}}}
"""
STREAM = """  {name}:
    source: {{kinesis: {{stream: {stream}}}}}
    starting_position: {start}
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger}}}}
"""


class Worker(unittest.TestCase):
    def setUp(self):
        self.stage = Stage(BUILD)
        self.addCleanup(lambda: self.stage.__exit__(self.failure(), None, None))
        self.ledger = Ledger(self.stage.path("ledger"))

    def failure(self):
        return None if self._outcome.success else AssertionError

    def local(self, *arguments):
        _, self.port = self.stage.start_local(*arguments)
        self.sqs, self.kinesis = self.stage.aws("sqs", self.port), self.stage.aws("kinesis", self.port)

    def head(self, grace="20s"):
        return HEAD.format(port=self.port, folder=self.stage.folder, grace=grace)

    def queue(self, name, queue=None, delay_ms=0):
        return QUEUE.format(name=name, queue=queue or name, handler=self.stage.handler(), folder=self.stage.folder,
                            delay_ms=delay_ms)

    def stream(self, name, start="TRIM_HORIZON"):
        return STREAM.format(name=name, stream=name, start=start, handler=self.stage.handler(),
                             folder=self.stage.folder)

    def config(self, text):
        return self.stage.write("pollard.yaml", text)

    def command(self, *arguments, stdin=None, seconds=30):
        env = {**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
        return subprocess.run([self.stage.build + "/pollard", *arguments], capture_output=True, text=True, env=env,
                              input=stdin, timeout=seconds)

    def events(self, event):
        return self.stage.log_events("pollard", event)

    def wait_event(self, event, seconds=30):
        wait_until(lambda: self.events(event), seconds, f"{event} is logged")
        return self.events(event)[-1]

    def wait_handled(self, trigger, bodies, seconds=30):
        wait_until(lambda: set(self.ledger.data(trigger)) >= set(bodies), seconds, f"{trigger} handled {bodies}")


class CommandLine(Worker):
    def test_no_command_is_usage(self):
        self.assertEqual(self.command().returncode, 64)

    def test_unknown_command_is_usage(self):
        done = self.command("rum")
        self.assertEqual(done.returncode, 64)
        self.assertIn("'rum'", done.stderr)

    def test_unknown_option_is_usage(self):
        self.assertEqual(self.command("run", "--lokal").returncode, 64)

    def test_help_names_every_command(self):
        text = self.command("help").stdout
        for name in ("run", "validate", "send", "local", "schema"):
            self.assertIn(name, text)

    def test_schema_is_json(self):
        self.assertIn("$schema", json.loads(self.command("schema").stdout))

    def test_missing_file(self):
        done = self.command("run", "-c", "/nonexistent.yaml")
        self.assertEqual(done.returncode, 78)
        self.assertIn("/nonexistent.yaml", done.stderr)

    def test_every_mistake_at_once(self):
        path = self.config("version: 1\ntriggers:\n  a:\n    source: {sqs: {queue: q}}\n    handler: none\n"
                           "    batch_size: 20000\n    bath_size: 3\n    kms_key_arn: k\n")
        done = self.command("validate", "-c", path)
        self.assertEqual(done.returncode, 78)
        for place in (":5:", ":6:", ":7:", ":8:"):
            self.assertIn(f"pollard.yaml{place}", done.stderr)

    def test_validate_needs_no_network(self):
        self.port = 1
        path = self.config(self.head() + self.queue("orders") + self.stream("clicks"))
        done = self.command("validate", "-c", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class MistakesWithHandlers(Worker):
    def refused(self, library):
        self.port = 1
        path = self.config(self.head() + self.queue("orders").replace(self.stage.handler(), library))
        started = self.command("run", "-c", path)
        self.assertEqual(started.returncode, 78)
        validated = self.command("validate", "-c", path)
        self.assertEqual(validated.returncode, 78)
        self.assertIn("pollard.yaml:6:3: triggers.orders.handler: ", validated.stderr)
        return started.stderr

    def test_missing_library(self):
        self.assertIn("/nowhere.so", self.refused("/nowhere.so"))

    def test_not_a_library(self):
        text = self.stage.write("text.so", "hello")
        self.assertIn("text.so", self.refused(text))

    def test_library_that_others_may_write_to(self):
        copy = self.stage.path("open.so")
        with open(self.stage.handler(), "rb") as source, open(copy, "wb") as target:
            target.write(source.read())
        os.chmod(copy, 0o666)
        self.assertIn("chmod", self.refused(copy))


class MistakesWithServers(Worker):
    def test_queue_that_does_not_exist_yet(self):
        self.local()
        pollard = self.stage.start_pollard(self.config(self.head() + self.queue("later")))
        self.assertIn("later", self.wait_event("sqs.queue_missing")["queue"])
        url = self.sqs.create_queue("later")
        self.sqs.send_all(url, ["at last"])
        self.wait_handled("later", ["at last"], 60)
        self.assertEqual(stop(pollard), 0)

    def test_queue_that_hides_its_messages_for_too_short(self):
        """Its handler may take 3 s. Said once, however often it is polled."""
        self.local()
        url = self.sqs.create_queue("short", VisibilityTimeout=1)
        pollard = self.stage.start_pollard(self.config(self.head() + self.queue("short")))
        for body in ("a", "b"):
            self.sqs.send_all(url, [body])
            self.wait_handled("short", [body])
        self.assertEqual(stop(pollard), 0)
        (event,) = self.events("sqs.visibility_short")
        self.assertEqual((event["trigger"], event["visibility_s"], event["timeout_s"]), ("short", 1, 3))

    def test_online_validation_names_what_is_missing(self):
        self.local()
        url = self.sqs.create_queue("short", VisibilityTimeout=1)
        self.assertTrue(url)
        path = self.config(self.head() + self.queue("short") + self.queue("missing") + self.stream("gone"))
        done = self.command("validate", "--online", "-c", path)
        self.assertEqual(done.returncode, 78)
        self.assertIn("visibility", done.stderr)
        self.assertIn("missing", done.stderr)
        self.assertIn("gone", done.stderr)

    def test_online_validation_passes(self):
        self.local()
        self.sqs.create_queue("orders")
        self.kinesis.create_stream("clicks", 1)
        path = self.config(self.head() + self.queue("orders") + self.stream("clicks"))
        done = self.command("validate", "--online", "-c", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def failing(self, destination, more=""):
        """A stream whose failures go there."""
        return (self.stream("clicks") + "    destination_config: {on_failure: {destination: '%s'}}\n" % destination
                + more)

    def test_online_validation_looks_at_destinations(self):
        self.local()
        self.sqs.create_queue("there")
        self.kinesis.create_stream("clicks", 1)
        arn = "arn:aws:sqs:us-east-1:000000000000:"
        nowhere = self.stage.path("no/where")
        for destination, words in (
                (arn + "there", None), (arn + "missing", 'on_failure: the queue "missing" does not exist at'),
                (f"file://{self.stage.path('failed')}/", None),
                (f"file://{nowhere}/", f"on_failure: the folder {nowhere}/ cannot be made: {self.stage.path('no')}: "),
                ("https://127.0.0.1:1/never-asked", None), ("arn:aws:s3:::never-asked", None)):
            with self.subTest(destination):
                path = self.config(self.head() + self.failing(destination))
                done = self.command("validate", "--online", "-c", path)
                self.assertEqual((done.returncode, done.stderr.count("triggers.")), (78, 1) if words else (0, 0), done.stderr)
                self.assertIn(words or "", done.stderr)
        self.assertFalse(os.path.exists(self.stage.path("failed")))

    def test_online_validation_looks_for_the_queue_of_what_is_filtered(self):
        self.local()
        self.sqs.create_queue("orders")
        text = self.head() + self.queue("orders") + "    filter_criteria: {filters: [{pattern: {body: [a]}}]}\n"
        path = self.config(text + "    on_filtered: 'arn:aws:sqs:us-east-1:000000000000:aside'\n")
        self.assertIn('triggers.orders.on_filtered: the queue "aside" does not exist at',
                      self.command("validate", "--online", "-c", path).stderr)

    def test_another_region_is_refused_before_anything_is_asked(self):
        """In AWS's own regions only: an endpoint of one's own is anywhere."""
        self.port = 1
        head = "\n".join(line for line in self.head().split("\n") if not line.startswith("aws:"))
        queue = self.queue("orders").replace("sqs: {queue: orders}", 'arn: "arn:aws:sqs:eu-west-1:123456789012:orders"')
        path = self.config(head + queue)
        for command in ("run",), ("validate", "--online"):
            done = self.command(*command, "-c", path)
            self.assertEqual(done.returncode, 78, done.stderr)
            self.assertIn("triggers.orders.source: arn:aws:sqs:eu-west-1:123456789012:orders lies in another region "
                          "than us-east-1", done.stderr)
        path = self.config(head + self.failing("arn:aws:sns:eu-west-1:123456789012:failed"))
        self.assertIn("triggers.clicks.destination_config.on_failure: arn:aws:sns:eu-west-1",
                      self.command("run", "-c", path).stderr)

    def test_server_that_answers_html(self):
        class Html(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                body = b"<html><body>It works!</body></html>"
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Html)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.port = server.server_address[1]
        done = self.command("validate", "--online", "-c", self.config(self.head() + self.queue("orders")), seconds=60)
        self.assertEqual(done.returncode, 78)
        self.assertIn(str(self.port), done.stderr)

    def test_nobody_listens(self):
        self.port = free_port()
        done = self.command("validate", "--online", "-c", self.config(self.head() + self.queue("orders")), seconds=60)
        self.assertEqual(done.returncode, 78)
        self.assertIn(f"127.0.0.1:{self.port}", done.stderr)


class ThroughAProxy(Worker):
    def test_calls_go_through_the_proxy_of_the_environment(self):
        self.local()
        seen, port = [], self.port

        class Proxy(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                seen.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                onward = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                onward.request("POST", "/", body, {k: v for k, v in self.headers.items() if k != "Host"})
                reply = onward.getresponse()
                answer = reply.read()
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.headers["Content-Type"])
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                onward.close()

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = self.sqs.create_queue("orders")
        self.sqs.send_all(url, ["far away"])
        text = (self.head() + self.queue("orders")).replace(f"127.0.0.1:{port}", "sqs.elsewhere.test")
        env = {"http_proxy": f"http://127.0.0.1:{server.server_address[1]}", "no_proxy": "", "NO_PROXY": ""}
        pollard = self.stage.start_pollard(self.config(text), env=env)
        self.wait_handled("orders", ["far away"])
        self.assertEqual(stop(pollard), 0)
        self.assertTrue(seen and all(path.startswith("http://sqs.elsewhere.test") for path in seen), seen[:3])


class MistakesWithTheStore(Worker):
    def test_store_of_a_newer_version(self):
        self.local()
        self.kinesis.create_stream("clicks", 1)
        with sqlite3.connect(self.stage.path("state.db")) as db:
            db.execute("CREATE TABLE future (x)")
            db.execute("PRAGMA user_version = 9999")
        path = self.config(self.head() + self.stream("clicks"))
        pollard = self.stage.start_pollard(path)
        failed = self.wait_event("trigger.failed")
        self.assertIn("state.db", failed["error"])
        self.assertEqual(stop(pollard), 0)

    def test_store_in_a_folder_that_is_none(self):
        self.local()
        self.kinesis.create_stream("clicks", 1)
        self.stage.write("file", "")
        text = (self.head() + self.stream("clicks")).replace("/state.db", "/file/state.db")
        pollard = self.stage.start_pollard(self.config(text))
        self.assertIn("file/state.db", self.wait_event("trigger.failed")["error"])
        self.assertEqual(stop(pollard), 0)


class Manager(Worker):
    def listen(self):
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        path = self.stage.path("notify")
        self.manager.bind(path)
        self.manager.settimeout(30)
        os.environ["NOTIFY_SOCKET"] = path
        self.addCleanup(os.environ.pop, "NOTIFY_SOCKET")

    def until(self, text):
        while True:
            message = self.manager.recv(4096).decode()
            if text in message:
                return message

    def test_ready_watchdog_reload_and_stopping(self):
        self.local()
        self.sqs.create_queue("orders")
        self.listen()
        os.environ["WATCHDOG_USEC"] = "400000"
        self.addCleanup(os.environ.pop, "WATCHDOG_USEC")
        pollard = self.stage.start_pollard(self.config(self.head() + self.queue("orders")))
        self.until("READY=1")
        self.until("WATCHDOG=1")
        pollard.send_signal(signal.SIGHUP)
        self.assertIn("MONOTONIC_USEC=", self.until("RELOADING=1"))
        self.until("READY=1")
        pollard.send_signal(signal.SIGTERM)
        self.assertIn("EXTEND_TIMEOUT_USEC=", self.until("STOPPING=1"))
        self.assertEqual(pollard.wait(40), 0)


class Reload(Worker):
    def test_only_what_changed_is_swapped(self):
        self.local()
        a, b, c = (self.sqs.create_queue(n) for n in "abc")
        path = self.config(self.head() + self.queue("a") + self.queue("b"))
        pollard = self.stage.start_pollard(path)
        self.sqs.send_all(a, ["a1"])
        self.sqs.send_all(b, ["b1"])
        self.wait_handled("a", ["a1"])
        self.wait_handled("b", ["b1"])
        self.config(self.head() + self.queue("a") + self.queue("c"))
        pollard.send_signal(signal.SIGHUP)
        done = self.wait_event("reload.done")
        self.assertEqual((done["kept"], done["started"], done["stopped"]), (1, 1, 1))
        self.sqs.send_all(a, ["a2"])
        self.sqs.send_all(b, ["b2"])
        self.sqs.send_all(c, ["c2"])
        self.wait_handled("a", ["a2"])
        self.wait_handled("c", ["c2"])
        self.assertEqual(self.sqs.counts(b), (1, 0, 0))
        self.assertEqual(stop(pollard), 0)

    def test_a_stop_while_a_reload_drains_is_not_forgotten(self):
        self.local()
        url = self.sqs.create_queue("slow")
        self.sqs.send_all(url, ["endless"])
        pollard = self.stage.start_pollard(self.config(self.head() + self.queue("slow", delay_ms=4000)))
        wait_until(lambda: self.sqs.counts(url)[1] == 1, 20, "the message is being handled")
        self.config(self.head() + self.queue("slow", delay_ms=1))
        pollard.send_signal(signal.SIGHUP)
        self.wait_event("reload.draining")
        self.assertEqual(stop(pollard), 0)
        self.assertEqual(self.events("reload.done"), [])
        self.assertEqual(self.ledger.data("slow"), ["endless"])

    def test_a_reload_while_a_reload_drains_is_not_forgotten(self):
        self.local()
        a, b = (self.sqs.create_queue(n) for n in "ab")
        self.sqs.send_all(a, ["slow"])
        pollard = self.stage.start_pollard(self.config(self.head() + self.queue("a", delay_ms=2000)))
        wait_until(lambda: self.sqs.counts(a)[1] == 1, 20, "the message is being handled")
        self.config(self.head() + self.queue("a", delay_ms=1))
        pollard.send_signal(signal.SIGHUP)
        self.wait_event("reload.draining")
        self.config(self.head() + self.queue("b"))
        pollard.send_signal(signal.SIGHUP)
        self.sqs.send_all(b, ["of the second"])
        self.wait_handled("b", ["of the second"])
        self.assertEqual(stop(pollard), 0)

    def test_a_mistake_changes_nothing(self):
        self.local()
        url = self.sqs.create_queue("a")
        path = self.config(self.head() + self.queue("a"))
        pollard = self.stage.start_pollard(path)
        self.wait_event("worker.started")
        self.config(self.head() + self.queue("a") + "    batch_size: many\n")
        pollard.send_signal(signal.SIGHUP)
        self.wait_event("reload.refused")
        self.assertEqual(self.events("reload.problem")[-1]["line"], 10)
        self.sqs.send_all(url, ["still here"])
        self.wait_handled("a", ["still here"])
        self.assertEqual(stop(pollard), 0)


class Stopping(Worker):
    def test_second_signal_forces(self):
        self.local()
        url = self.sqs.create_queue("slow")
        self.sqs.send_all(url, ["endless"])
        pollard = self.stage.start_pollard(self.config(self.head() + self.queue("slow", delay_ms=60000)))
        wait_until(lambda: self.sqs.counts(url)[1] == 1, 20, "the message is being handled")
        pollard.send_signal(signal.SIGTERM)
        self.wait_event("worker.stopping")
        pollard.send_signal(signal.SIGTERM)
        self.assertEqual(pollard.wait(10), 128 + signal.SIGTERM)
        self.assertEqual(self.events("worker.forced")[-1]["left_hidden"], 1)

    def test_grace_is_a_bound(self):
        self.local()
        url = self.sqs.create_queue("slow")
        self.sqs.send_all(url, ["endless"])
        config = self.config(self.head(grace="500ms") + self.queue("slow", delay_ms=60000))
        pollard = self.stage.start_pollard(config)
        wait_until(lambda: self.sqs.counts(url)[1] == 1, 20, "the message is being handled")
        begun = time.monotonic()
        self.assertEqual(stop(pollard), 128 + signal.SIGTERM)
        self.assertLess(time.monotonic() - begun, 10)

    def test_counts_are_logged(self):
        self.local()
        url = self.sqs.create_queue("orders")
        self.sqs.send_all(url, [str(i) for i in range(30)])
        pollard = self.stage.start_pollard(self.config(self.head() + self.queue("orders")))
        self.wait_handled("orders", [str(i) for i in range(30)])
        wait_until(lambda: sum(self.sqs.counts(url)) == 0, 20, "all were deleted")
        pollard.send_signal(signal.SIGUSR1)
        self.wait_event("trigger.counters")
        counters = self.events("trigger.counters")[-1]
        for name, count in [("PolledEventCount", 30), ("FilteredOutEventCount", 0), ("InvokedEventCount", 30),
                            ("FailedInvokeEventCount", 0), ("DeletedEventCount", 30)]:
            self.assertEqual(counters[name], count, name)
        self.assertNotIn("DroppedEventCount", counters)
        self.assertEqual(stop(pollard), 0)
        stopped = self.events("worker.stopped")[-1]
        self.assertEqual((stopped["finished"], stopped["left_hidden"]), (30, 0))


class LocalAndSend(Worker):
    def test_run_local_and_send(self):
        self.port = 9324
        path = self.config(self.head() + self.queue("orders") + self.stream("clicks"))
        env = dict(os.environ)
        pollard = self.stage.start("pollard", [self.stage.build + "/pollard", "run", "--local", "-c", path,
                                               "--log-format", "json"], env)
        self.wait_event("worker.started")
        sent = self.command("send", "-c", path, "orders", "-", stdin="one\ntwo\n")
        self.assertEqual((sent.returncode, sent.stderr), (0, ""))
        sent = self.command("send", "-c", path, "--key", "k", "clicks", "-", stdin="three\n")
        self.assertEqual((sent.returncode, sent.stderr), (0, ""))
        self.wait_handled("orders", ["one", "two"])
        self.wait_handled("clicks", ["three"])
        self.assertEqual(stop(pollard), 0)

    # None: there is no such queue.
    def visible_in(self, queue):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_pollard/stats", timeout=10) as answer:
            counts = json.load(answer)["queues"].get(queue)
        return counts and counts["visible"]

    def test_run_local_creates_where_things_go(self):
        self.port = 9324
        arn = "arn:aws:sqs:eu-west-1:123456789012:"
        path = self.config(self.head() + self.queue("orders") +
                           "    filter_criteria: {filters: [{pattern: {body: [one]}}]}\n"
                           f'    on_filtered: "{arn}unwanted"\n'
                           f'    destination_config: {{on_success: {{destination: "file://{self.stage.folder}/out/"}}}}\n' + self.stream("clicks") +
                           f'    destination_config: {{on_failure: {{destination: "{arn}reports"}}}}\n')
        pollard = self.stage.start("pollard", [self.stage.build + "/pollard", "run", "--local", "-c", path,
                                               "--log-format", "json"], dict(os.environ))
        self.wait_event("worker.started")
        self.command("send", "-c", path, "orders", "-", stdin="one\ntwo\n")
        self.wait_handled("orders", ["one"])
        wait_until(lambda: self.visible_in("unwanted") == 1, 20, "the unwanted one was moved")
        self.assertEqual(self.visible_in("reports"), 0)
        self.assertEqual(stop(pollard), 0)

    def test_send_to_an_unknown_trigger(self):
        self.port = 1
        done = self.command("send", "-c", self.config(self.head() + self.queue("orders")), "oders", "-", stdin="x\n")
        self.assertIn("oders", done.stderr)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=1)

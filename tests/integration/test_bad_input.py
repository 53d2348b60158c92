#!/usr/bin/env python3
"""Bad input of every kind, to a whole pollard: a clear error, nothing lost, no
secret told. Broken files and libraries are refused before anything starts;
what goes wrong while it runs is logged, and work goes on when it is over.
"""
import http.client
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from proxy import Proxy  # noqa: E402
from stage import Ledger, Stage, free_port, stop, wait_until  # noqa: E402

BUILD = sys.argv.pop(1)
SECRETS = {"AWS_SECRET_ACCESS_KEY": "hush-secret-key-hush", "AWS_SESSION_TOKEN": "hush-session-token-hush"}

HEAD = """version: 1
aws: {{region: us-east-1, endpoint_url: "{url}"{aws}}}
store: {{sqlite: {{path: "{store}"}}, checkpoint_interval: 100ms, heartbeat: 300ms, lease_duration: 3s}}
triggers:
"""
QUEUE = """  orders:
    source: {{sqs: {{queue: orders}}}}
    wait_time_seconds: 1
    handler: {{library: "{library}", isolation: thread, settings: {settings}}}
"""
STREAM = """  clicks:
    source: {{kinesis: {{stream: clicks}}}}
    starting_position: TRIM_HORIZON
    handler: {{library: "{library}", isolation: thread, settings: {settings}}}
"""


class Bad(unittest.TestCase):
    def setUp(self):
        self.stage = Stage(BUILD)
        self.addCleanup(lambda: self.stage.__exit__(self.failure(), None, None))
        self.addCleanup(self.assert_nothing_secret)
        self.ledger = Ledger(self.stage.path("ledger"))
        self.url = "http://127.0.0.1:1"
        self.pollard = None

    def failure(self):
        return None if self._outcome.success else AssertionError

    def assert_nothing_secret(self):
        for name in os.listdir(self.stage.folder):
            if name.endswith(".log"):
                with open(self.stage.path(name), errors="replace") as log:
                    self.assert_no_secret_in(log.read())

    def assert_no_secret_in(self, text):
        for name, secret in SECRETS.items():
            self.assertNotIn(secret, text, name)

    def config(self, *triggers, library=None, settings=None, aws="", store=None):
        settings = json.dumps(settings or {"path": self.stage.path("ledger")})
        library = library or self.stage.handler()
        text = HEAD.format(url=self.url, aws=aws, store=store or self.stage.path("state.db"))
        text += "".join(t.format(library=library, settings=settings) for t in triggers)
        return self.stage.write("pollard.yaml", text)

    def run_refused(self, path, seconds=20):
        """What a start says that ends at once, as a mistake in the config."""
        env = {**os.environ, **SECRETS, "AWS_ACCESS_KEY_ID": "AKIDTEST"}
        done = subprocess.run([BUILD + "/pollard", "run", "-c", path], capture_output=True, text=True,
                              errors="replace", env=env, timeout=seconds)
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assert_no_secret_in(done.stdout + done.stderr)
        return done.stderr

    def start(self, *triggers, **options):
        self.pollard = self.stage.start_pollard(self.config(*triggers, **options), env=SECRETS)

    def stop(self):
        self.assertEqual(stop(self.pollard), 0)

    def told(self, event, *words):
        """Wait for an event whose text holds all the words."""
        def found():
            self.assertIsNone(self.pollard.poll(), "pollard ended")
            return any(all(w in json.dumps(e, ensure_ascii=False) for w in words)
                       for e in self.stage.log_events("pollard", event))

        wait_until(found, 40, f"{event} is logged with {words}")

    def wait_handled(self, trigger, bodies, seconds=60):
        wait_until(lambda: set(self.ledger.data(trigger)) >= set(bodies), seconds, f"{trigger} handled {bodies}")


class BadFiles(Bad):
    """A file that is wrong is refused whole: exit status 78, and the place."""

    def refused(self, text, *words):
        path = self.stage.path("pollard.yaml")
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        said = self.run_refused(path)
        for word in ("pollard.yaml", *words):
            self.assertIn(word, said)
        self.assertLess(len(said), 64 << 10)
        self.assertFalse(os.path.exists(self.stage.path("state.db")))

    def good(self):
        with open(self.config(QUEUE)) as f:
            return f.read()

    def test_empty(self):
        self.refused("", "empty")
        self.refused("# only this\n", "empty")

    def test_huge(self):
        self.refused("a: " + "x" * (20 << 20), "MiB")

    def test_many_values(self):
        self.refused("a: [" + "1," * 200000 + "1]", "100000")

    def test_broken(self):
        self.refused("version: 1\ntriggers: {a: [}\n", ":2:")
        self.refused(b"version: 1\ntriggers: \xff\xfe\n", "UTF-8")
        self.refused(b"\x00\x01\x02\x7fELF", ":1:")
        self.refused("version: 1\n\ttriggers: x\n", ":2:")

    def test_alias_bomb(self):
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
        self.refused("\n".join(lines), "aliases expanded")

    def test_wrong_types(self):
        good = self.good()
        self.refused(good + "    batch_size: [1]\n", ":9:", "batch_size")
        self.refused(good + "    batch_size: many\n", ":9:", "many")
        self.refused(good + "    scaling_config: 4\n", ":9:", "scaling_config")
        self.refused("version: 1\ntriggers: [a, b]\n", ":2:", "triggers")
        self.refused("just a text\n", ":1:")

    def test_unknown_keys(self):
        self.refused(self.good() + "    bach_size: 4\n", ":9:", "bach_size", "batch_size")

    def test_duplicate_triggers(self):
        good = self.good()
        self.refused(good + good.split("triggers:\n")[1], ":9:", "orders")
        self.refused(good + good.split("triggers:\n")[1].replace("orders:", "again:"), ":9:", "again", "orders")

    def test_a_folder_or_nothing_in_its_place(self):
        self.assertIn("missing.yaml", self.run_refused(self.stage.path("missing.yaml")))
        self.assertIn(self.stage.folder, self.run_refused(self.stage.folder))


class BadLibraries(Bad):
    def refused(self, library, *words):
        said = self.run_refused(self.config(QUEUE, library=library))
        for word in (os.path.basename(library), *words):
            self.assertIn(word, said)

    def damaged(self, name, offset, value):
        path = self.stage.path(name)
        shutil.copy(self.stage.handler(), path)
        with open(path, "r+b") as f:
            f.seek(offset)
            f.write(value)
        return path

    def test_missing(self):
        self.refused("/nowhere/missing.so", "No such file")

    def test_foreign_architecture(self):
        self.refused(self.damaged("foreign.so", 18, b"\x16\x00"))  # e_machine: S/390
        self.refused(self.damaged("narrow.so", 4, b"\x01"))  # 32 bits

    def test_cut_short(self):
        path = self.stage.path("short.so")
        with open(self.stage.handler(), "rb") as whole, open(path, "wb") as part:
            part.write(whole.read(3000))
        self.refused(path)

    def test_without_the_symbol(self):
        self.refused(self.stage.handler("no_entry"), "pollard_handler_entry")

    def test_whose_create_fails(self):
        said = self.run_refused(self.config(QUEUE, library=self.stage.handler("create_fails")))
        self.assertIn("handler create_fails: create() failed: no database for", said)


class WithServers(Bad):
    """An embedded server, and a proxy before it that misbehaves."""

    def setUp(self):
        super().setUp()
        _, self.port = self.stage.start_local()
        self.sqs, self.kinesis = self.stage.aws("sqs", self.port), self.stage.aws("kinesis", self.port)
        self.proxy = self.front()

    def front(self, certificate=None):
        proxy = Proxy(self.port, certificate)
        self.addCleanup(proxy.close)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{proxy.port}"
        return proxy

    def queue(self, **attributes):
        return self.sqs.create_queue("orders", **{"VisibilityTimeout": 1, **attributes})

    def fault(self, *faults):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        body = json.dumps({"faults": faults})
        connection.request("POST", "/_pollard/faults", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        self.assertEqual(reply.status, 200, reply.read())
        connection.close()

    def wait_empty(self, url):
        wait_until(lambda: sum(self.sqs.counts(url)) == 0, 60, "the queue is empty")


class BadAnswers(WithServers):
    """While a server answers so, it is said; when it stops, all is handled."""

    def heals(self, operation, answer, *words):
        """`answer(call)` instead of every answer to `operation`."""
        def bad(call):
            return answer(call) if call.operation in operation.split() else False

        url, bodies = self.queue(), [f"order-{n}" for n in range(20)]
        self.kinesis.create_stream("clicks", 1)
        self.sqs.send_all(url, bodies)
        self.kinesis.put_all("clicks", [("k", body) for body in bodies])
        self.proxy.answer = bad
        self.start(QUEUE, STREAM)
        for event in ("sqs.receive_failed", "trigger.failed"), ("kinesis.trouble", "shard.failed"):
            wait_until(lambda: any(self.has_told(name, words) for name in event), 40, f"one of {event} with {words}")
        self.proxy.answer = None
        for trigger in "orders", "clicks":
            self.wait_handled(trigger, bodies)
        self.wait_empty(url)
        self.stop()

    def has_told(self, event, words):
        self.assertIsNone(self.pollard.poll(), "pollard ended")
        return any(all(w in json.dumps(e, ensure_ascii=False) for w in words)
                   for e in self.stage.log_events("pollard", event))

    READS = "ReceiveMessage GetRecords"

    def test_html(self):
        page = b"<html><head><title>Welcome to nginx!</title></head></html>"
        self.heals(self.READS, lambda call: call.reply(200, page, "text/html"), "HTML")

    def test_truncated(self):
        def cut(call):
            status, kind, body = call.forward()
            call.reply(status, body[:len(body) // 2], kind)

        self.heals(self.READS, cut)

    def test_a_body_cut_off(self):
        def cut(call):
            call.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 1000\r\n\r\n{\"M")

        self.heals(self.READS, cut, f"127.0.0.1:{self.proxy.port}")

    def test_an_error_inside_200(self):
        self.heals(self.READS, lambda call: call.error(200, "InternalFailure", "a bad day"), "a bad day")

    def test_wrong_region(self):
        text = "Credential should be scoped to a valid region, not 'us-east-1'."
        self.heals(self.READS, lambda call: call.error(403, "SignatureDoesNotMatch", text), "us-east-1", "aws.region")

    def test_wrong_credentials(self):
        text = "The security token included in the request is invalid."
        self.heals(self.READS, lambda call: call.error(403, "UnrecognizedClientException", text), text, "environment")

    def test_expired_credentials(self):
        text = "The security token included in the request is expired"
        self.heals(self.READS, lambda call: call.error(403, "ExpiredTokenException", text), text, "environment")

    def test_deep_nesting(self):
        self.heals(self.READS, lambda call: call.reply(200, b"[" * 1000000))

    def test_what_was_not_asked_for(self):
        self.heals(self.READS, lambda call: call.reply(200, {"Messages": {"Records": 7}, "Records": {"a": None}}))

    def test_over_the_limit(self):
        def endless(call):
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n\r\n{\"Messages\": ["
            call.raw(head, *[b" " * (1 << 20)] * 40)

        self.heals(self.READS, endless, "over 33554432 bytes")


class BadTls(WithServers):
    def test_an_unknown_ca_and_then_a_known_one(self):
        key, certificate = self.stage.path("key.pem"), self.stage.path("ca.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=pollard test",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        self.front((certificate, key))
        url = self.queue()
        self.sqs.send_all(url, ["safe"])
        self.start(QUEUE)
        wait_until(lambda: any("ca_bundle" in line for line in self.log_lines()), 40, "the mend is told")
        self.assertEqual(self.sqs.counts(url), (1, 0, 0))
        self.stop()
        self.start(QUEUE, aws=f', ca_bundle: "{certificate}"')
        self.wait_handled("orders", ["safe"])
        self.stop()

    def log_lines(self):
        with open(self.stage.path("pollard.log"), errors="replace") as log:
            return log.readlines()


class BadSources(WithServers):
    def test_a_stream_that_does_not_exist_yet(self):
        self.start(STREAM)
        self.told("stream.missing", "clicks")
        self.kinesis.create_stream("clicks", 1)
        self.kinesis.put_all("clicks", [("k", "at last")])
        self.wait_handled("clicks", ["at last"])
        self.stop()

    def test_a_message_with_a_broken_md5(self):
        url = self.queue()
        self.fault("ReceiveMessage:broken_md5:times=3")
        bodies = [f"order-{n}" for n in range(10)]
        self.sqs.send_all(url, bodies)
        self.start(QUEUE)
        self.told("sqs.message_refused", "MD5")
        self.wait_handled("orders", bodies)
        self.wait_empty(url)
        self.stop()

    def test_a_record_of_10_mib(self):
        self.kinesis.create_stream("clicks", 1)
        data = "".join(f"{n:015d}\n" for n in range(10 << 16))
        self.assertEqual(len(data), 10 << 20)
        summary = self.kinesis.call("DescribeStreamSummary", StreamName="clicks")["StreamDescriptionSummary"]
        self.kinesis.call("UpdateMaxRecordSize", StreamARN=summary["StreamARN"], MaxRecordSizeInKiB=10240)
        for text in "before\n", data[:-8], "\nafter\n":  # as much as one call may carry
            self.kinesis.put_all("clicks", [("k", text)])
        path = self.stage.path("kept")
        self.start(STREAM, library=self.stage.handler("odd"), settings={"path": path})
        whole = "before\n" + data[:-8] + "\nafter\n"
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path) >= len(whole), 60, "all is handled")
        with open(path) as kept:
            self.assertTrue(kept.read() == whole, "what was handled is what was put")
        self.stop()

    def test_a_handler_that_returns_garbage(self):
        url = self.queue()
        path = self.stage.path("kept")
        self.start(QUEUE, library=self.stage.handler("odd"), settings={"path": path, "odd": 3})
        self.sqs.send_all(url, ["handled"])
        self.told("handler.failed")
        self.wait_empty(url)
        with open(path) as kept:
            self.assertEqual(kept.read(), "handled")
        self.stop()
        with open(self.stage.path("pollard.log"), "rb") as log:
            for line in log.read().decode().splitlines():  # UTF-8, and one JSON object a line
                json.loads(line)


class BadStores(WithServers):
    def checkpoint(self, path):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as store:
            row = store.execute("SELECT ckpt FROM lease").fetchone()
        store.close()
        return row[0] if row else None

    def records(self, first, count):
        bodies = [f"click-{n}" for n in range(first, first + count)]
        self.kinesis.put_all("clicks", [("k", body) for body in bodies])
        return bodies

    def restart_repeats_nothing(self, store):
        """The checkpoint was written behind the last record."""
        seen = len(self.ledger.data("clicks"))
        self.stop()
        self.start(STREAM, store=store)
        more = self.records(1000, 5)
        self.wait_handled("clicks", more)
        self.assertEqual(len(self.ledger.data("clicks")), seen + 5)
        self.stop()

    def test_a_newer_version(self):
        path = self.stage.path("state.db")
        self.kinesis.create_stream("clicks", 1)
        bodies = self.records(0, 5)
        with sqlite3.connect(path) as store:
            store.execute("PRAGMA application_id = 0x706f6c6c")
            store.execute("PRAGMA user_version = 9999")
        store.close()
        self.start(STREAM)
        self.told("trigger.failed", "state.db", "newer pollard")
        os.remove(path)
        self.wait_handled("clicks", bodies)
        self.stop()

    def test_a_folder_that_may_not_be_written_to(self):
        folder = self.stage.path("closed")
        os.mkdir(folder)
        self.kinesis.create_stream("clicks", 1)
        bodies = self.records(0, 5)
        with Unwritable(folder) as closed:
            self.start(STREAM, store=folder + "/state.db")
            self.told("trigger.failed", "closed/state.db", closed.words)
        self.wait_handled("clicks", bodies)
        self.restart_repeats_nothing(folder + "/state.db")

    def test_a_disk_that_fills_up_while_it_works(self):
        """Every file of the process may grow no more: what a full disk does to
        the store, without a disk."""
        path = self.stage.path("state.db")
        self.kinesis.create_stream("clicks", 1)
        self.start(STREAM)
        self.wait_handled("clicks", self.records(0, 5))
        wait_until(lambda: os.path.getsize(path + "-wal") > 0 and self.checkpoint(path).isdigit(), 20, "a checkpoint")
        _, hard = resource.prlimit(self.pollard.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pollard.pid, resource.RLIMIT_FSIZE, (os.path.getsize(path + "-wal"), hard))
        bodies = self.records(5, 50)
        self.told("store.failing", "state.db")
        resource.prlimit(self.pollard.pid, resource.RLIMIT_FSIZE, (hard, hard))
        self.told("store.recovered")
        self.wait_handled("clicks", bodies)
        self.restart_repeats_nothing(path)


class Unwritable:
    """A folder in which nothing can be written: read-only for its owner, or,
    since root may write everywhere, with a file where a folder should be."""

    def __init__(self, folder):
        self.folder = folder
        self.words = "Permission denied" if os.geteuid() else "Not a directory"

    def __enter__(self):
        if os.geteuid():
            os.chmod(self.folder, 0o555)
        else:
            os.rmdir(self.folder)
            open(self.folder, "w").close()
        return self

    def __exit__(self, *_):
        if os.geteuid():
            os.chmod(self.folder, 0o755)
        else:
            os.remove(self.folder)
            os.mkdir(self.folder)


if __name__ == "__main__":
    unittest.main(verbosity=1)

#!/usr/bin/env python3
"""A stream's records that fail for good are reported to a folder by a whole
pollard; `pollard failed` lists, shows and replays them. What is no report, or
should not be touched, is said and left alone.
"""
import base64
import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from stage import Ledger, Stage, stop, wait_until  # noqa: E402

BUILD = sys.argv.pop(1)

CONFIG = """version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: "{store}"}}, checkpoint_interval: 100ms, heartbeat: 300ms, lease_duration: 3s}}
triggers:
  clicks:
    source: {{kinesis: {{stream: clicks}}}}
    starting_position: TRIM_HORIZON
    handler: {{library: "{library}", isolation: thread, settings: {settings}}}
    retry_backoff: {{base: 50ms, maximum: 100ms}}
    maximum_retry_attempts: {retries}
    destination_config: {{on_failure: {{destination: "{destination}"}}{more}}}
"""
KEY = re.compile(r"aws/lambda/[0-9a-f-]{36}/shardId-000000000000/\d{4}/\d\d/\d\d/"
                 r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}$")


def report(records, **changes):
    """A report as pollard writes it, of (sequence number, text)."""
    event = {"Records": [{"kinesis": {"kinesisSchemaVersion": "1.0", "partitionKey": "k", "sequenceNumber": n,
                                      "data": base64.b64encode(text.encode()).decode(),
                                      "approximateArrivalTimestamp": 1764088504.835},
                          "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": "shardId-0:" + n,
                          "eventName": "aws:kinesis:record", "invokeIdentityArn": "arn:aws:iam::1:role/r",
                          "awsRegion": "us-east-1",
                          "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"}
                         for n, text in records]}
    made = {"requestContext": {"requestId": "r", "functionArn": "arn:aws:lambda:us-east-1:0:function:f",
                               "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2},
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0", "timestamp": "2025-11-25T16:35:32.717Z",
            "KinesisBatchInfo": {"shardId": "shardId-0", "startSequenceNumber": records[0][0],
                                 "endSequenceNumber": records[-1][0], "batchSize": len(records),
                                 "streamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"},
            "payload": json.dumps(event)}
    made.update(changes)
    return json.dumps({k: v for k, v in made.items() if v is not None})


class Failed(unittest.TestCase):
    def setUp(self):
        self.stage = Stage(BUILD)
        self.addCleanup(lambda: self.stage.__exit__(None if self._outcome.success else AssertionError, None, None))
        self.ledger = Ledger(self.stage.path("ledger"))
        self.folder = self.stage.path("failed")
        os.mkdir(self.folder, 0o700)

    def config(self, port=1, fail="", destination=None, more="", emit=False, library="ledger", retries=1):
        settings = json.dumps({"path": self.stage.path("ledger"), "fail": fail, "emit": emit})
        return self.stage.write("pollard.yaml", CONFIG.format(
            port=port, store=self.stage.path("state.db"), library=self.stage.handler(library), settings=settings,
            destination=destination or f"file://{self.folder}/", more=more, retries=retries))

    def failed(self, *arguments, status=0):
        env = {**os.environ, "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret"}
        done = subprocess.run([BUILD + "/pollard", "failed", *arguments], capture_output=True, text=True,
                              env=env, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def reports(self):
        return [os.path.join(at, name) for at, _, names in os.walk(self.folder) for name in names]

    def put(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return path

    def test_a_poisoned_record_goes_round(self):
        _, port = self.stage.start_local("--stream", "clicks:1")
        config = self.config(port, fail="poison")
        pollard = self.stage.start_pollard(config)
        self.stage.aws("kinesis", port).put_all("clicks", [("k", "good one"), ("k", "poison"), ("k", "good two")])
        wait_until(lambda: {"good one", "good two"} <= set(self.ledger.data("clicks")), 30, "the good ones are through")
        path, = wait_until(lambda: [p for p in self.reports() if "/." not in p], 30, "the poison is reported")
        self.assertRegex(path, KEY)
        self.assertEqual(stop(pollard), 0)

        line = self.failed("list", "-c", config, "clicks").stdout
        self.assertRegex(line, r"^\d{4}-\S+Z  clicks/shardId-000000000000  RetryAttemptsExhausted +\d records?  "
                               r"(\d+)\.\.(\d+)  /")
        listed = json.loads(self.failed("list", "--json", self.folder).stdout)
        self.assertEqual(listed["path"], path)
        self.assertEqual(listed["source"], "stream/clicks")
        shown = json.loads(self.failed("show", path).stdout)
        data = [base64.b64decode(r["kinesis"]["data"]).decode() for r in shown["payload"]["Records"]]
        self.assertEqual(data[0], "poison")
        self.assertEqual(shown["requestContext"]["approximateInvokeCount"], 2)
        self.assertEqual(shown["KinesisBatchInfo"]["startSequenceNumber"], listed["first"])

        self.assertIn("would replay", self.failed("replay", "--dry-run", "-c", config, "clicks").stdout)
        self.assertNotIn("poison", self.ledger.data("clicks"))
        again = self.failed("replay", "-c", config, "clicks", status=75)
        self.assertIn("it stays", again.stderr)
        self.assertTrue(os.path.exists(path))

        config = self.config(port)  # somebody has mended the handler
        self.assertIn("replayed " + path, self.failed("replay", "-c", config, "clicks").stdout)
        self.assertIn("poison", self.ledger.data("clicks"))
        self.assertFalse(os.path.exists(path))
        self.assertIn("no reports", self.failed("replay", "-c", config, "clicks").stderr)
        self.assertEqual(self.failed("list", "-c", config, "clicks").stdout, "")
        self.assertIn("clicks: No such file or directory (a trigger is named with -c FILE)",
                      self.failed("list", "clicks", status=65).stderr)

    def test_reports_are_replayed_by_time(self):
        self.put("a", report([("3", "third")], timestamp="2025-11-25T16:35:34.000Z"))
        self.put("b", report([("1", "first")], timestamp="2025-11-25T16:35:32.000Z"))
        self.put("c", report([("2", "second")], timestamp="2025-11-25T16:35:33.000Z"))
        self.put(".part-d", report([("4", "not whole")]))
        self.failed("replay", "-c", self.config(), "clicks", self.folder)
        self.assertEqual(self.ledger.data("clicks"), ["first", "second", "third"])
        self.assertEqual(os.listdir(self.folder), [".part-d"])

    def test_what_is_emitted_goes_to_on_success_first(self):
        _, port = self.stage.start_local("--queue", "results")
        arn = "arn:aws:sqs:us-east-1:000000000000:"
        path = self.put("a", report([("1", "one")]))
        config = self.config(port, more=f', on_success: {{destination: "{arn}results"}}', emit=True)
        self.failed("replay", "-c", config, "clicks", path)
        self.assertFalse(os.path.exists(path))
        sqs = self.stage.aws("sqs", port)
        url = sqs.call("GetQueueUrl", QueueName="results")["QueueUrl"]
        self.assertEqual(sqs.call("ReceiveMessage", QueueUrl=url)["Messages"][0]["Body"], "one")

    def test_hostile_files_are_said_and_left_alone(self):
        secret = self.stage.write("secret", "top secret")
        good = self.put("good", report([("1", "fine")]))
        self.put("binary", b"\x00\xff\xfe" * 100)
        self.put("empty", "")
        self.put("deep", "[" * 100000)
        self.put("other", "{}")
        self.put("cut", report([("1", "one")])[:200])
        self.put("escape\x1b[2J", "no")
        with open(os.path.join(self.folder, "huge"), "wb") as f:
            f.truncate(1 << 32)
        os.symlink(secret, os.path.join(self.folder, "link"))
        os.mkfifo(os.path.join(self.folder, "pipe"))
        before = sorted(os.listdir(self.folder))
        done = self.failed("list", self.folder, status=65)
        self.assertEqual(done.stdout.count("\n"), 1)
        self.assertNotIn("\x1b", done.stderr)
        self.assertNotIn("top secret", done.stderr)
        for part in ("binary: no JSON", "huge: 4294967296 bytes are too many", "link: it is a symbolic link",
                     "pipe: it is no regular file", "other: no failure report"):
            self.assertIn(part, done.stderr)
        self.failed("replay", "-c", self.config(), "clicks", self.folder, status=65)
        self.assertEqual(self.ledger.data("clicks"), ["fine"])
        self.assertEqual(sorted(os.listdir(self.folder) + [os.path.basename(good)]), before)

    def test_a_report_without_records_says_where_they_are(self):
        path = self.put("a", report([("17", "one"), ("19", "two")], payload=None))
        done = self.failed("replay", "-c", self.config(), "clicks", path, status=65)
        self.assertIn("it has no payload: the records are in the stream alone, from 17 to 19", done.stderr)
        self.assertTrue(os.path.exists(path))

    def test_events_of_the_wrong_shape_are_not_run(self):
        for payload in ("hello", '{"Records": []}', '{"Records": [{"body": "x"}]}', "7"):
            path = self.put("a", report([("1", "one")], payload=payload))
            self.failed("replay", "-c", self.config(), "clicks", path, status=65)
            self.assertTrue(os.path.exists(path))
        self.assertEqual(self.ledger.data("clicks"), [])

    def test_a_handler_that_cannot_be_loaded_changes_nothing(self):
        path = self.put("a", report([("1", "one")]))
        done = self.failed("replay", "-c", self.config(library="create_fails"), "clicks", path, status=69)
        self.assertIn("no database", done.stderr)
        self.assertTrue(os.path.exists(path))

    def test_wrong_command_lines(self):
        config = self.config(destination="arn:aws:sqs:us-east-1:000000000000:failed")
        for arguments, part in (
                ((), "list, show or replay is missing"), (("sing",), "there is no 'sing'"),
                (("list",), "a folder is missing"), (("list", "--dry-run", "x"), "--dry-run is for replay"),
                (("show", "--json", "x"), "--json is for list"), (("list", "--what"), "no option --what"),
                (("replay", "-c", config), "a trigger's name is missing"),
                (("replay", "-c", config, "orders"), "has no trigger 'orders'"),
                (("list", "-c", config, "clicks"), "not to a folder; name the files")):
            self.assertIn(part, self.failed(*arguments, status=64).stderr)
        self.assertIn("No such file", self.failed("list", "/nowhere/at/all", status=65).stderr)
        self.failed("replay", "-c", "/nowhere.yaml", "clicks", status=78)


if __name__ == "__main__":
    unittest.main(verbosity=2)

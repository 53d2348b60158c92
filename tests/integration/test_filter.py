#!/usr/bin/env python3
"""`pollard filter test` as a user meets it, mistakes included; and docs/filters.md,
word for word: each pattern with its events, each command with what it prints, each
YAML file, and each row of what is refused.
"""
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

BUILD = os.path.abspath(sys.argv.pop(1))
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
with open(os.path.join(ROOT, "docs/filters.md"), encoding="utf-8") as page:
    PAGE = page.read()
MIB = 1024 * 1024


def sqs(body, **more):
    return {"messageId": "m-1", "body": body if isinstance(body, str) else json.dumps(body), "attributes": {
        "ApproximateReceiveCount": "1"}, "messageAttributes": {}, "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:1:orders", "awsRegion": "eu-west-1", **more}


def kinesis(data, **more):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return {"kinesis": {"partitionKey": "k", "sequenceNumber": "7", "data": base64.b64encode(data).decode(),
                        "approximateArrivalTimestamp": 1545084650.987}, "eventSource": "aws:kinesis",
            "eventID": "shardId-000000000006:7", **more}


class Runs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="pollard-filter-")
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        text = text if isinstance(text, (str, bytes)) else json.dumps(text)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return name

    def pollard(self, *arguments, stdin=b"", environment=None):
        env = {"PATH": "/usr/bin:/bin", **(environment or {})}
        return subprocess.run([BUILD + "/pollard", *arguments], cwd=self.folder.name, env=env,
                              input=stdin if isinstance(stdin, bytes) else stdin.encode(),
                              capture_output=True, timeout=60)

    def filter(self, *arguments, status=0, stdin=b""):
        arguments = [a if isinstance(a, str) else json.dumps(a) for a in arguments]
        done = self.pollard("filter", "test", *arguments, stdin=stdin)
        self.out, self.err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, status, self.out + self.err)
        return self.out


class Page(Runs):
    """The page, so that it cannot go stale."""

    def blocks(self, language):
        found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)
        self.assertTrue(found, language)
        return found

    def test_each_pattern_decides_as_it_says(self):
        count = 0
        for source, block in re.findall(r"^```pattern ?(\w*)\n(.*?)^```$", PAGE, re.M | re.S):
            pattern, *events = block.splitlines()
            self.assertTrue(events, pattern)
            for line in events:
                word, event = line.split(None, 1)
                with self.subTest(pattern=pattern, event=event):
                    self.filter("--source", source or "event", pattern, event,
                              status={"yes": 0, "no": 1}[word])
                count += 1
        self.assertGreater(count, 80)

    def test_each_operator_has_an_example(self):
        shown = " ".join(re.findall(r"^```pattern ?\w*\n(.*?)\n", PAGE, re.M | re.S))
        for operator in ("prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists", "wildcard",
                         "cidr", "$or"):
            self.assertIn(f'"{operator}"', shown)

    def test_each_command_prints_what_it_shows(self):
        self.write("pollard.yaml", self.blocks("yaml")[0])
        self.write("wrong.yaml", self.blocks("yaml refused")[0])
        self.write("order.json", sqs({"type": "created"}))
        self.write("event.json", {"Records": [sqs({"type": "created"}), sqs({"type": "deleted"}), sqs("hello")]})
        for block in self.blocks("sh"):
            command, shown = re.fullmatch(r"\$ (.*?)\n(.*)", block, re.S).groups()
            with self.subTest(command):
                done = subprocess.run(["sh", "-c", command], cwd=self.folder.name, text=True, timeout=60,
                                      env={"PATH": BUILD + ":/usr/bin:/bin"}, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                said = done.stdout.replace(os.path.realpath(self.folder.name) + "/", "")
                status = f"[exit status {done.returncode}]\n" if done.returncode else ""
                self.assertEqual(said + status, shown)

    def test_each_file_is_read(self):
        for block in self.blocks("yaml"):
            self.write("pollard.yaml", block)
            self.filter("-c", "pollard.yaml", "--trigger", "orders", "--data", stdin='{"type": "other"}', status=1)

    def test_each_row_of_what_is_refused(self):
        rows = re.findall(r"^\| `(\{.*\})` \| (.*) \|$", PAGE[PAGE.index("is refused, because"):], re.M)
        self.assertGreater(len(rows), 15)
        for pattern, why in rows:
            with self.subTest(pattern):
                self.filter(pattern, "{}", status=65)
                self.assertIn(why, self.err)

    def test_a_field_that_a_record_lacks_at_the_top(self):
        self.filter("--source", "sqs", {"type": ["created"]}, sqs("x"), status=65)
        self.assertIn("type: a record of this source has no such field; there are: body, messageId", self.err)


class Command(Runs):
    def test_events_come_from_arguments_files_and_standard_input(self):
        pattern = self.write("pattern.json", '{\n  "a": [1]\n}\n')
        self.assertIn("event: match", self.filter(pattern, {"a": 1}))
        self.assertIn("one.json: match", self.filter(pattern, self.write("one.json", {"a": 1})))
        self.assertIn("standard input: match", self.filter(pattern, stdin='{"a": 1}'))
        self.assertIn("standard input: match", self.filter(pattern, "-", stdin='\n {"a": 1}\n\n'))
        self.assertIn("event: match", self.filter("-", {"a": 1}, stdin='{"a": [1]}'))
        self.assertIn("one.json: match", self.filter(' {"a": [1]}', "one.json"))
        self.assertEqual(self.err, "")

    def test_many_events_behind_one_another(self):
        said = self.filter({"a": [1]}, stdin='{"a":1}\n\n{"a":\n2} {"a":3}\n{"b":1}', status=1)
        for part in ("standard input:1: match:\n", "standard input:3: no match:\n", "standard input:4: no match:\n",
                     "standard input:5: no match:\n  a: is absent; wanted [1]\n1 of 4 match\n"):
            self.assertIn(part, said)
        said = self.filter({"a": [1]}, {"a": 1}, {"a": 2}, status=1)
        self.assertEqual(said, "event 1: match:\n  a: 1 matches 1\nevent 2: no match:\n  a: 2 does not match [1]\n"
                               "1 of 2 match\n")

    def test_a_whole_event_record_by_record(self):
        event = {"Records": [sqs({"t": "x"}), sqs("plain"), sqs({"t": "y"})]}
        said = self.filter({"body": {"t": ["x"]}}, event, status=1)
        self.assertIn("event: record 1: match:\n", said)
        self.assertIn("event: record 2: no match:\n  body: is not JSON, and the pattern asks for its fields\n", said)
        self.assertIn("event: record 3: no match:\n  body.t: \"y\" does not match [\"x\"]\n", said)

    def test_an_event_of_something_else_is_one_event(self):
        bucket = {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"size": 5}}}]}
        self.filter({"Records": {"s3": {"object": {"size": [5]}}}}, bucket)
        self.filter("--source", "event", {"Records": {"body": ["x"]}}, {"Records": [sqs("x")]})

    def test_the_source_is_what_the_record_says(self):
        both = json.dumps(sqs({"t": 1})) + json.dumps(kinesis({"t": 1}))
        self.filter({"awsRegion": ["eu-west-1"]}, sqs("x"))
        self.filter("--source", "kinesis", {"data": {"t": [1]}}, both, status=65)
        self.assertIn("event:1:1: a record of sqs, among what is to be of kinesis", self.err)
        self.assertIn("event:1: match", self.out)

    def test_a_record_that_does_not_say_its_source_is_pointed_out(self):
        said = self.filter({"body": {"t": [1]}}, {"body": '{"t": 1}'}, status=1)
        self.assertEqual(said, "event: no match:\n  body.t: is absent; wanted [1]\n  (taken as it is, because it has no "
                               "eventSource; --source says what it is)\n")
        self.assertNotIn("taken as it is", self.filter({"a": [1]}, {"b": 1}, status=1))
        self.assertNotIn("taken as it is", self.filter("--source", "event", {"body": ["x"]}, {"body": "y"}, status=1))

    def test_what_a_pattern_may_not_ask_of_the_source_that_turns_up(self):
        self.filter({"detail": ["x"]}, kinesis({"t": 1}), status=65)
        self.assertIn("pattern:1:2: detail: a record of this source has no such field; there are: data, ", self.err)

    def test_every_field_of_a_record(self):
        message = sqs("x", receiptHandle="r", md5OfBody="5", md5OfMessageAttributes=None, messageAttributes={
            "a": {"stringValue": "s", "dataType": "String"}, "b": {"binaryValue": "AAE=", "dataType": "Binary"}})
        self.filter({"messageId": ["m-1"], "receiptHandle": ["r"], "body": ["x"], "md5OfBody": ["5"],
                   "md5OfMessageAttributes": [None], "attributes": {"ApproximateReceiveCount": ["1"]},
                   "messageAttributes": {"a": {"stringValue": ["s"], "dataType": ["String"]},
                                         "b": {"binaryValue": ["AAE="]}},
                   "eventSource": ["aws:sqs"], "eventSourceARN": [{"suffix": ":orders"}],
                   "awsRegion": ["eu-west-1"]}, message)
        self.filter({"kinesis": {"sequenceNumber": ["7"]}, "partitionKey": ["k"], "eventName": ["aws:kinesis:record"],
                   "approximateArrivalTimestamp": [{"numeric": ["=", 1545084650.987]}], "invokeIdentityArn": ["i"],
                   "eventID": ["shardId-000000000006:7"]}, kinesis({}, invokeIdentityArn="i"))
        change = {"eventSource": "aws:dynamodb", "eventID": "e", "eventName": "REMOVE", "eventVersion": "1.1",
                  "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
                  "dynamodb": {"Keys": {"k": {"S": "ü"}}, "ApproximateCreationDateTime": 5.5}}
        self.filter({"eventID": ["e"], "eventName": ["REMOVE"], "eventVersion": ["1.1"],
                   "userIdentity": {"type": ["Service"]},
                   "dynamodb": {"Keys": {"k": {"S": ["ü"]}}, "ApproximateCreationDateTime": [5.5]}}, change)

    def test_what_a_record_by_hand_lacks_is_absent(self):
        self.filter("--source", "sqs", {"awsRegion": [{"exists": False}], "messageId": [{"exists": False}]},
                  {"body": "x"})
        self.filter("--source", "kinesis", {"eventID": [{"exists": False}], "partitionKey": [{"exists": False}]},
                  {"kinesis": {"data": ""}})
        self.filter("--source", "dynamodb", {"eventName": ["INSERT"]}, {"dynamodb": {}, "userIdentity": None}, status=1)
        self.assertIn('eventName: is absent; wanted ["INSERT"]', self.out)

    def test_data_alone(self):
        said = self.filter("--source", "sqs", "--data", {"body": {"t": ["x"]}}, stdin='{"t":"x"}\n\nplain\n', status=1)
        self.assertIn("standard input:1: match", said)
        self.assertIn("standard input:3: no match:\n  body: is not JSON", said)
        self.filter("--source", "sqs", "--whole", {"body": ["a\nb\n"]}, stdin="a\nb\n")
        self.filter("--source", "kinesis", "--whole", {"data": {"t": ["x"]}}, stdin='{\n"t": "x"\n}\n')
        self.filter("--source", "dynamodb", "--data", {"dynamodb": {"Keys": {"k": {"N": ["1"]}}}},
                  stdin='{"Keys": {"k": {"N": "1"}}}')
        self.filter("--source", "sqs", "--data", {"body": [{"prefix": "\ufffd"}]}, stdin=b"\xff\xfe\n", status=1)

    def test_a_trigger_with_its_source_and_all_its_filters(self):
        config = self.write("pollard.yaml", """version: 1
triggers:
  clicks:
    source: {kinesis: {stream: clicks}}
    starting_position: LATEST
    handler: {library: ./no.so}
    filter_criteria: {filters: [{pattern: {data: {t: [a]}}}, {pattern: {data: {$or: [{t: [b]}, {u: [b]}]}}}]}
  all:
    source: {sqs: {queue: all}}
    handler: {library: ./no.so}
""")
        self.assertIn("match by filter 1:\n", self.filter("-c", config, "--trigger", "clicks", kinesis({"t": "a"})))
        said = self.filter("-c", config, "--trigger", "clicks", kinesis({"u": "b"}))
        self.assertIn("match by filter 2, way 2 of $or:\n  data.u", said)
        said = self.filter("-c", config, "--trigger", "clicks", kinesis({"t": "c"}), status=1)
        for title in ("by filter 1:", "by filter 2, way 1 of $or:", "by filter 2, way 2 of $or:"):
            self.assertIn("event: no match " + title, said)
        self.assertIn("match: there is no filter", self.filter("-c", config, "--trigger", "all", sqs("x")))
        self.assertIn("match", self.filter("--trigger", "all", sqs("x")))  # pollard.yaml is the default
        self.filter("-c", config, "--trigger", "orders", "{}", status=64)
        self.assertIn("has no trigger 'orders'; it has clicks, all", self.err)
        self.filter("-c", "nowhere.yaml", "--trigger", "all", "{}", status=78)

    def test_wrong_patterns_show_their_place(self):
        self.filter('{"a": [{"prefx": "x"}]}', "{}", status=65)
        self.assertEqual(self.err, 'pollard filter: pattern:1:9: a[0]: there is no operator "prefx"; did you mean '
                                   'prefix?\n  {"a": [{"prefx": "x"}]}\n          ^\n')
        self.filter(self.write("p.json", '{\n\t"ä€😀": ["x" "y"]\n}'), "{}", status=65)
        self.assertEqual(self.err, "pollard filter: p.json:2:14: ä€😀: not JSON at character 22: a comma or a closing "
                                   'bracket is missing\n   "ä€😀": ["x" "y"]\n               ^\n')
        self.filter('{"a": ["' + "x" * 300 + '", null, {}, "' + "y" * 300 + '"]}', "{}", status=65)
        where, line, caret = self.err.splitlines()
        self.assertIn("pattern:1:318: a[2]: no operator", where)
        self.assertLessEqual(len(line), 130)
        self.assertEqual(line[caret.index("^")], "{")
        for text, part in (("", "No such file"), ("{", "ends early"), ('{"a":[1]} x', "something follows"),
                           (b'\xef\xbb\xbf["a"]', '["a"] is not allowed: a mapping of fields'),
                           (b'{"a": ["\xff"]}', "not UTF-8 at byte 9"), ('{"a": ["' + "x" * 4090 + '"]}',
                                                                         "4101 characters are too many: at most 4096"),
                           ("{" + " " * 65536, "more than 65536 bytes")):
            name = self.write("pattern", text) if text else "nowhere"
            self.filter(name, "{}", status=65 if text else 66)
            self.assertIn(part, self.err)
        self.filter(self.write("pattern", '{"a": ["' + "ü" * 4085 + '"]}'), {"a": 1}, status=1)

    def test_wrong_events_show_theirs(self):
        pattern = {"body": {"t": ["x"]}}
        for event, part in (
                ('{"a":', "event:1:6: not JSON: the document ends early"),
                ('{"a": 01}', "event:1:8: not JSON: "),
                ('{"body": {"t": "x"}}', "event:1:10: body must be a string, in which JSON is written as text"),
                ('{"text": "x"}', "event:1:1: a record of sqs has its data in `body`; this one has none"),
                ('{"body": "x", "messageAttributes": {"a": {"binaryValue": "?"}}}', "binaryValue must be base64"),
                ('{"body": "x", "attributes": {"a": 1}}', "event:1:35: a must be a string"),
                ('{"body": "x", "attributes": {"a": "x", "b": 1, "c": "x"}}', "event:1:45: b must be a string"),
                ('{"body": "x", "messageAttributes": {"a": 1, "b": {}}}', "event:1:42: a must be an object"),
                ('{"body": null}', "event:1:10: body must be a string"),
                ('{"body": "x", "awsRegion": ["a"]}', "event:1:28: awsRegion must be a string"),
                ('{"Records": []}', "event:1:13: there is no record"),
                ('{"Records": [{"body": "x"}, 7]}', "event:1:29: an event must be an object")):
            self.filter("--source", "sqs", pattern, event, status=65)
            self.assertIn(part, self.err)
        for data in ("e30", "e30==", "e3\n0=", "e30=\r\n", "e 0=", "*30=", 5, {"t": 1}):
            self.filter("--source", "kinesis", {"data": {"t": [1]}}, {"kinesis": {"data": data}}, status=65)
            self.assertRegex(self.err, "event:1:22: data must be (base64|a string)")
        for name, source, event in (("kinesis.data", "kinesis", {"kinesis": {"data": None}}),
                                    ("dynamodb", "dynamodb", {"dynamodb": None})):
            self.filter("--source", source, {"awsRegion": ["x"]}, event, status=65)
            self.assertIn(f"a record of {source} has its data in `{name}`; this one has none", self.err)
        self.filter("--source", "dynamodb", {"eventName": ["x"]}, {"dynamodb": []}, status=65)
        self.assertIn("event:1:14: dynamodb must be an object", self.err)
        for text, part in ((b'{"a": "\xc3("}', "standard input:1:8: not UTF-8"), (b"", "there is no event"),
                           (b" \n", "there is no event"), (b"hello", "not JSON: not a value"),
                           (b"[1]", "not a JSON object"), (b'"a"', "not a JSON object"),
                           (b"[" * 129 + b"]" * 129, "nested deeper than 128")):
            self.filter({"a": [1]}, stdin=text, status=65)
            self.assertIn(part, self.err)
        self.filter({"a": [1]}, stdin=b'\xef\xbb\xbf{"a": 1}')

    def test_a_wrong_event_does_not_hide_the_others(self):
        said = self.filter({"a": [1]}, stdin='{"a":1}\n[]\n{"a":2}\n', status=65)
        self.assertIn("standard input:3: no match", said)
        self.assertIn("standard input:2:1: not a JSON object", self.err)
        said = self.filter({"a": [1]}, "nowhere", {"a": 1}, status=66)
        self.assertIn("event 2: match", said)
        self.assertIn("nowhere: No such file or directory (JSON begins with {)", self.err)
        self.filter({"a": [1]}, self.folder.name, status=66)
        self.assertIn("Is a directory", self.err)

    def test_what_is_huge_is_bounded(self):
        self.filter({"a": [1]}, stdin=b"[]\n" * 100000, status=65)
        self.assertEqual(self.err.count("not a JSON object"), 100)
        self.assertIn("100 wrong events are enough", self.err)
        self.filter({"a": [{"numeric": [">", 0]}]}, self.write("big", b'{"a": [' + b"0," * MIB + b"1]}"))
        self.assertLess(len(self.out), 1000)
        said = self.filter({"a": [{"prefix": "y"}]}, self.write("long", b'{"a": "' + b"x" * MIB + b'"}'), status=1)
        self.assertLess(len(said), 1000)
        with open(os.path.join(self.folder.name, "endless"), "wb") as f:
            f.truncate(1 << 40)
        self.filter({"a": [1]}, "endless", status=65)
        self.assertIn("endless: more than 67108864 bytes", self.err)

    def test_nothing_steers_the_terminal(self):
        self.filter({"a": ["x"]}, '{"a": "\\u001b[2J\\u0007"}', status=1)
        self.assertNotIn("\x1b", self.out)
        self.filter("--source", "sqs", "--data", {"body": ["x"]}, stdin=b"\x1b[2J\xc2\x9b2J\n", status=1)
        self.assertNotRegex(self.out, "[\x1b\x9b]")
        self.filter({"a": ["x"]}, stdin=b'{"a": \x1b[2J}', status=65)
        self.assertNotIn("\x1b", self.err)
        self.filter({"a": ["x"]}, self.write("a\x1b[2J", {"a": "y"}), status=1)
        self.assertNotIn("\x1b", self.out)

    def test_wrong_command_lines(self):
        for arguments, part in (
                ((), "a pattern is missing, or --trigger NAME"), (("--what", "{}"), "no option --what"),
                (("--source", "s3", "{}"), "there is no source 's3': sqs, kinesis, dynamodb or event"),
                (("--source",), "takes a value"), (("-c", "pollard.yaml", "{}"), "-c is for --trigger NAME"),
                (("--source", "sqs", "--trigger", "a"), "--source is the trigger's own"),
                (("--data", "{}"), "--source or --trigger is missing"),
                (("-",), "standard input can be read once only"),
                (("-", "-"), "standard input can be read once only")):
            self.filter(*arguments, status=64)
            self.assertIn(part, self.err)
        for arguments, part in (((), "test is missing"), (("try",), "there is no 'try': test")):
            done = self.pollard("filter", *arguments)
            self.assertEqual(done.returncode, 64)
            self.assertIn(part, done.stderr.decode())
        for arguments in (("filter", "--help"), ("filter", "test", "--help"), ("help", "filter")):
            done = self.pollard(*arguments)
            self.assertEqual(done.returncode, 0)
            self.assertIn("pollard filter test", done.stdout.decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)

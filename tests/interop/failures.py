"""Stories of on_failure: what a stream's trigger gives up arrives where foreign
servers keep it: in a queue, behind a topic, in a bucket.
"""
import base64
import json
import os
import re
import subprocess

from servers import INSTALLED, elasticmq, kinesis_mock, local, moto
from stage import Ledger, free_port, stop, wait_until

CONFIG = """
version: 1
stop_grace: 3s
aws:
  region: us-east-1
  endpoint_urls: {{kinesis: "http://127.0.0.1:{kinesis}", sqs: "http://127.0.0.1:{aws}",
                   sns: "http://127.0.0.1:{aws}", s3: "http://127.0.0.1:{aws}"}}
store: {{sqlite: {{path: {folder}/state.db}}, checkpoint_interval: 100ms}}
triggers:
"""
TRIGGER = """
  {name}:
    source: {{kinesis: {{stream: clicks}}}}
    starting_position: TRIM_HORIZON
    handler:
      library: {handler}
      isolation: thread
      settings: {{path: {folder}/ledger, fail: poison, trigger: {name}}}
    maximum_retry_attempts: 1
    bisect_batch_on_function_error: true
    retry_backoff: {{base: 50ms, maximum: 200ms}}
    destination_config: {{on_failure: {{destination: "{destination}"{more}}}}}
"""


def run(stage, kinesis, aws, destinations, env=None):
    """A pollard with one trigger for each destination, on one stream with one
    record that no handler takes."""
    client = stage.aws("kinesis", kinesis)
    client.create_stream("clicks", 1)
    client.put_all("clicks", [("k", "one"), ("k", "poison"), ("k", "two")])
    text = CONFIG.format(kinesis=kinesis, aws=aws, folder=stage.folder)
    for name, (destination, more) in destinations.items():
        text += TRIGGER.format(name=name, destination=destination, more=more, handler=stage.handler(),
                               folder=stage.folder)
    pollard, ledger = stage.start_pollard(stage.write("pollard.yaml", text), env=env), Ledger(stage.path("ledger"))
    for name in destinations:
        wait_until(lambda: {"one", "two"} <= set(ledger.data(name)), 120, f"{name} goes on behind the poison")
    return pollard


def assert_report(report, trigger):
    context = report["requestContext"]
    assert list(context) == ["requestId", "functionArn", "condition", "approximateInvokeCount"], report
    assert context["condition"] == "RetryAttemptsExhausted" and context["approximateInvokeCount"] == 2, report
    assert context["functionArn"].startswith("arn:aws:lambda:us-east-1:"), report
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", context["requestId"]), report
    assert list(report)[:5] == ["requestContext", "responseContext", "version", "timestamp", "KinesisBatchInfo"], report
    assert report["version"] == "1.0", report
    assert report["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": None}
    batch = report["KinesisBatchInfo"]
    assert list(batch) == ["shardId", "startSequenceNumber", "endSequenceNumber", "approximateArrivalOfFirstRecord",
                           "approximateArrivalOfLastRecord", "batchSize", "streamArn"], batch
    for time in (report["timestamp"], batch["approximateArrivalOfFirstRecord"],
                 batch["approximateArrivalOfLastRecord"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time), report
    assert batch["shardId"] == "shardId-000000000000" and batch["streamArn"].endswith(":stream/clicks"), (trigger, report)
    assert int(batch["startSequenceNumber"]) <= int(batch["endSequenceNumber"]), report
    return batch


def assert_payload(report):
    data = [base64.b64decode(r["kinesis"]["data"]) for r in json.loads(report["payload"])["Records"]]
    assert data[0] == b"poison" and len(data) == report["KinesisBatchInfo"]["batchSize"], data


def receive(sqs, url):
    found = []

    def arrived():
        found.extend(sqs.call("ReceiveMessage", QueueUrl=url).get("Messages", []))
        return found

    wait_until(arrived, 120, "the report arrives in the queue")
    return found[0]["Body"]


def arn_of(sqs, url):
    return sqs.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def story_queue(stage, kinesis, aws):
    """The report as Lambda writes it, and with the records when asked for."""
    sqs = stage.aws("sqs", aws)
    urls = {name: sqs.create_queue(name) for name in ("plain", "whole")}
    pollard = run(stage, kinesis, aws, {"plain": (arn_of(sqs, urls["plain"]), ""),
                                        "whole": (arn_of(sqs, urls["whole"]), ", include_payload: true")})
    plain, whole = (json.loads(receive(sqs, urls[name])) for name in ("plain", "whole"))
    assert_report(plain, "plain")
    assert "payload" not in plain
    assert_report(whole, "whole")
    assert_payload(whole)
    assert stop(pollard) == 0


CLIENT = """
import boto3, json, sys
port, verb = sys.argv[1:3]
def client(name):
    return boto3.client(name, endpoint_url="http://127.0.0.1:" + port, region_name="us-east-1")
if verb == "topic":
    sns = client("sns")
    arn = sns.create_topic(Name="failed")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=sys.argv[3])
    print(json.dumps(arn))
if verb == "lone topic":
    print(json.dumps(client("sns").create_topic(Name="failed")["TopicArn"]))
if verb == "bucket":
    client("s3").create_bucket(Bucket="failed-reports")
    print("null")
if verb == "user":
    iam = client("iam")
    iam.create_user(UserName="pollard")
    iam.put_user_policy(UserName="pollard", PolicyName="all", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
    key = iam.create_access_key(UserName="pollard")["AccessKey"]
    print(json.dumps({"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}))
if verb == "objects":
    s3, found = client("s3"), {}
    for one in s3.list_objects_v2(Bucket="failed-reports").get("Contents", []):
        body = s3.get_object(Bucket="failed-reports", Key=one["Key"])
        found[one["Key"]] = [body["ContentType"], body["Body"].read().decode()]
    print(json.dumps(found))
"""


def boto3(port, *arguments, env=None):
    env = {**os.environ, "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret", **(env or {})}
    done = subprocess.run([f"{INSTALLED}/moto/bin/python", "-c", CLIENT, str(port), *arguments], capture_output=True,
                          text=True, timeout=60, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def story_topic(stage, kinesis, aws):
    """A queue that is subscribed to the topic gets the report."""
    sqs = stage.aws("sqs", aws)
    url = sqs.create_queue("subscribed")
    arn = boto3(aws, "topic", arn_of(sqs, url))
    pollard = run(stage, kinesis, aws, {"clicks": (arn, "")})
    envelope = json.loads(receive(sqs, url))
    assert envelope["TopicArn"] == arn, envelope
    report = json.loads(envelope["Message"])
    assert_report(report, "clicks")
    assert "payload" not in report
    assert stop(pollard) == 0


def story_bucket(stage, kinesis, aws):
    """The object lies under Lambda's key, whole, with its records."""
    boto3(aws, "bucket")
    pollard = run(stage, kinesis, aws, {"clicks": ("arn:aws:s3:::failed-reports", "")})
    objects = wait_until(lambda: boto3(aws, "objects"), 120, "the object is there")
    assert stop(pollard) == 0
    for key, (kind, body) in objects.items():
        assert re.fullmatch(r"aws/lambda/[0-9a-f-]{36}/shardId-000000000000/\d{4}/\d\d/\d\d/"
                            r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}", key), key
        assert kind == "application/json", kind
        report = json.loads(body)
        assert_report(report, "clicks")
    assert any("poison" in base64.b64decode(r["kinesis"]["data"]).decode()
               for _, body in objects.values() for r in json.loads(json.loads(body)["payload"])["Records"])


def story_signed(stage, kinesis):
    """moto recomputes the signatures of S3 and SNS with botocore."""
    port = free_port()
    setup = 1 + 1 + 3  # a bucket, a topic, a user with its policy and key
    stage.start_server("signed-moto", [f"{INSTALLED}/moto/bin/moto_server", "-H", "127.0.0.1", "-p", str(port)], port,
                       env={"INITIAL_NO_AUTH_ACTION_COUNT": str(setup)})
    boto3(port, "bucket")
    topic = boto3(port, "lone topic")
    key = boto3(port, "user")
    destinations = {"bucket": ("arn:aws:s3:::failed-reports", ""), "topic": (topic, "")}
    wrong = run(stage, kinesis, port, destinations, {**key, "AWS_SECRET_ACCESS_KEY": "wrong"})

    def refusals():
        return stage.log_events("pollard", "destination.refused") + stage.log_events("pollard", "destination.failed")

    wait_until(lambda: len({event["destination"] for event in refusals()}) == 2, 120, "the wrong secret is refused")
    assert not boto3(port, "objects", env=key)
    stop(wrong)
    os.remove(stage.path("pollard.log"))
    right = stage.start_pollard(stage.path("pollard.yaml"), env=key)
    wait_until(lambda: boto3(port, "objects", env=key), 120, "the object is there")
    assert stop(right) == 0
    assert not refusals()


def story_down(stage, kinesis):
    """The queue's server is down: the shard waits and says so, and nothing is
    lost. It comes up without the queue, and then has it."""
    aws, client = free_port(), stage.aws("kinesis", kinesis)
    pollard = run(stage, kinesis, aws, {"clicks": ("arn:aws:sqs:us-east-1:123456789012:failed", "")})
    said = wait_until(lambda: stage.log_events("pollard", "sqs.queue_lookup"), 120, "it says that the server is down")
    assert "cannot connect" in said[0]["error"] and said[0]["destination"].endswith(":failed"), said
    client.put_all("clicks", [("k", "three")])
    moto(stage, aws)

    def requests():
        with open(stage.path("moto.log")) as log:
            return log.read().count("POST / ")

    wait_until(lambda: requests() >= 3, 120, "it asks for the queue again and again")
    ledger = Ledger(stage.path("ledger"))
    assert "three" not in ledger.data("clicks"), ledger.read()
    sqs = stage.aws("sqs", aws)
    report = json.loads(receive(sqs, sqs.create_queue("failed")))
    assert_report(report, "clicks")
    wait_until(lambda: "three" in ledger.data("clicks"), 120, "the shard goes on")
    assert stop(pollard) == 0
    assert "poison" not in ledger.data("clicks")


STORIES = [
    ("failures queue local elasticmq", story_queue, (local, elasticmq), ()),
    ("failures queue kinesis_mock moto", story_queue, (kinesis_mock, moto), ()),
    ("failures topic kinesis_mock moto", story_topic, (kinesis_mock, moto), ()),
    ("failures bucket moto moto", story_bucket, (moto, moto), ()),
    ("failures down kinesis_mock", story_down, (kinesis_mock,), ()),
    ("failures signed local", story_signed, (local,), ()),
]

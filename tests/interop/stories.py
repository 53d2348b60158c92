#!/usr/bin/env python3
"""The same end-to-end stories on every server: ElasticMQ, moto and kinesis-mock,
which nobody here wrote, and the embedded server beside them.

usage: stories.py BUILD SERVERS [STORY...]
"""
import glob
import json
import os
import re
import sys
import time
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import failures  # noqa: E402
from stage import Ledger, Stage, free_port, stop, wait_until  # noqa: E402

BUILD, SERVERS = sys.argv[1], os.path.abspath(sys.argv[2])


# ---- servers ----------------------------------------------------------------

def elasticmq(stage):
    port = free_port()
    config = stage.write("elasticmq.conf", f"""
include classpath("application.conf")
node-address {{ protocol = http, host = localhost, port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
""")
    stage.start_server("elasticmq", ["java", "-Xmx256m", f"-Dconfig.file={config}", "-cp",
                                     f"{SERVERS}/elasticmq/*", "org.elasticmq.server.Main"], port)
    return port


def moto(stage):
    port = free_port()
    stage.start_server("moto", [f"{SERVERS}/venv/bin/moto_server", "-H", "127.0.0.1", "-p", str(port)], port)
    return port


def kinesis_mock(stage):
    port, tls = free_port(), free_port()
    folder = os.path.dirname(glob.glob(f"{SERVERS}/npm/node_modules/kinesis-local/main.js")[0])
    stage.start_server("kinesis-mock", ["node", "main.js"], port, cwd=folder, env={
        "KINESIS_MOCK_PLAIN_PORT": str(port), "KINESIS_MOCK_TLS_PORT": str(tls), "LOG_LEVEL": "ERROR",
        "SHARD_LIMIT": "100"})
    return port


def local(stage):
    return stage.start_local()[1]


# ---- SQS ----------------------------------------------------------------------

QUEUE = """
version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}", sqs_protocol: {protocol}}}
triggers:
  orders:
    source: {{sqs: {{queue: orders}}}}
    wait_time_seconds: 1
    handler:
      library: {handler}
      isolation: thread
      settings: {{path: {folder}/ledger, fail: flaky, delay_ms: {delay_ms}}}
    scaling_config: {{maximum_concurrency: 3}}
"""


def run_queue(stage, port, protocol="auto", delay_ms=0):
    config = stage.write("pollard.yaml", QUEUE.format(port=port, protocol=protocol, delay_ms=delay_ms,
                                                      handler=stage.handler(), folder=stage.folder))
    return stage.start_pollard(config), Ledger(stage.path("ledger"))


def story_queue(stage, port, count, protocol):
    """Every message reaches the handler, failed ones come back, and the queue
    ends empty."""
    sqs = stage.aws("sqs", port)
    url = sqs.create_queue("orders", VisibilityTimeout=1)
    bodies = [f"order {i} \u00fc \U0001f439 <&\"" for i in range(count)] + [f"flaky {i}" for i in range(5)]
    sqs.send_all(url, bodies)
    pollard, ledger = run_queue(stage, port, protocol)
    wait_until(lambda: set(ledger.data("orders")) >= set(bodies), 60, "every message was handled")
    wait_until(lambda: sqs.counts(url) == (0, 0, 0), 30, f"the queue is empty: {sqs.counts(url)}")
    assert stop(pollard) == 0
    assert set(ledger.data("orders")) == set(bodies)


def story_sigterm(stage, port, count, protocol):
    """After a SIGTERM under load not one message stays hidden."""
    sqs = stage.aws("sqs", port)
    url = sqs.create_queue("orders", VisibilityTimeout=600)
    bodies = [f"order {i}" for i in range(count)]
    sqs.send_all(url, bodies)
    pollard, ledger = run_queue(stage, port, protocol, delay_ms=80)
    wait_until(lambda: len(ledger.read()) >= 20, 60, "work is under way")
    assert stop(pollard) == 0
    handled = len(set(ledger.data("orders")))
    assert len(ledger.read()) == handled, "nothing was handled twice"
    visible, hidden, delayed = sqs.counts(url)
    assert hidden == 0, f"{hidden} messages stayed hidden"
    assert handled + visible == count and delayed == 0, (handled, visible, delayed)
    stopped = stage.log_events("pollard", "worker.stopped")[-1]
    assert stopped["finished"] == handled and stopped["left_hidden"] == 0, stopped


def story_dead_letter(stage, port, count, protocol):
    """A poisonous message ends in the dead-letter queue, and holds nobody up."""
    sqs = stage.aws("sqs", port)
    dead = sqs.create_queue("orders-dead")
    arn = sqs.call("GetQueueAttributes", QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    url = sqs.create_queue("orders", VisibilityTimeout=1,
                           RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2}))
    sqs.send_all(url, [f"order {i}" for i in range(count)] + ["flaky poison"])
    pollard, ledger = run_queue(stage, port, protocol)
    wait_until(lambda: len(set(ledger.data("orders"))) == count, 60, "the good ones were handled")
    wait_until(lambda: sqs.counts(dead)[0] == 1 and sqs.counts(url) == (0, 0, 0), 60,
               "the poisonous one is in the dead-letter queue")
    assert stop(pollard) == 0


def iam(port, **form):
    """One unsigned IAM call, in the Query protocol."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/", urllib.parse.urlencode({**form, "Version": "2010-05-08"}).encode(),
        {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIDTEST/20260101/us-east-1/iam/aws4_request, "
                          "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
         "X-Amz-Date": "20260101T000000Z"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.read().decode()


def story_signature(stage, count):
    """moto recomputes every signature with botocore: the right secret works, a
    wrong one is refused, and pollard says so."""
    port = free_port()
    setup = 3 + 1 + count // 10
    stage.start_server("signed-moto", [f"{SERVERS}/venv/bin/moto_server", "-H", "127.0.0.1", "-p", str(port)], port,
                       env={"INITIAL_NO_AUTH_ACTION_COUNT": str(setup)})
    iam(port, Action="CreateUser", UserName="pollard")
    iam(port, Action="PutUserPolicy", UserName="pollard", PolicyName="all", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
    answer = iam(port, Action="CreateAccessKey", UserName="pollard")
    key, secret = (re.search(f"<{n}>([^<]+)</{n}>", answer).group(1) for n in ("AccessKeyId", "SecretAccessKey"))
    sqs = stage.aws("sqs", port)
    url = sqs.create_queue("orders", VisibilityTimeout=30)
    bodies = [f"order {i}" for i in range(count)]
    sqs.send_all(url, bodies)
    config = stage.write("pollard.yaml", QUEUE.format(port=port, protocol="json", delay_ms=0,
                                                      handler=stage.handler(), folder=stage.folder))
    refused = stage.start_pollard(config, "refused", env={"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "wrong"})
    wait_until(lambda: stage.log_events("refused", "trigger.failed"), 60, "the wrong secret is refused")
    assert "SignatureDoesNotMatch" in stage.log_events("refused", "trigger.failed")[0]["error"]
    stop(refused)
    ledger = Ledger(stage.path("ledger"))
    assert not ledger.read()
    pollard = stage.start_pollard(config, env={"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret})
    wait_until(lambda: set(ledger.data("orders")) == set(bodies), 60, "every message was handled")
    assert stop(pollard) == 0


# ---- Kinesis ------------------------------------------------------------------

STREAM = """
version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: {folder}/state.db}}, checkpoint_interval: 100ms}}
triggers:
  clicks:
    source: {{kinesis: {{stream: clicks}}}}
    starting_position: TRIM_HORIZON
    batch_size: 50
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger}}}}
  copies:
    source: {{kinesis: {{stream: clicks}}}}
    starting_position: TRIM_HORIZON
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/copies, note: independent}}}}
"""


def run_stream(stage, port):
    config = stage.write("pollard.yaml", STREAM.format(port=port, handler=stage.handler(), folder=stage.folder))
    return stage.start_pollard(config)


def put(kinesis, first, last):
    kinesis.put_all("clicks", [(f"key-{i % 13}", f"record-{i}") for i in range(first, last)])


def assert_order_per_key(rows):
    """Records of one partition key are first handled in the order they were
    put."""
    last, seen = {}, set()
    for _, _, _, key, data in rows:
        if data in seen:
            continue
        seen.add(data)
        number = int(data.split("-")[1])
        assert number > last.get(key, -1), f"{data} of {key} came after record-{last[key]}"
        last[key] = number


def handled(ledger, trigger, last):
    return set(ledger.data(trigger)) == {f"record-{i}" for i in range(last)}


def story_stream(stage, port, count):
    """Every record once and in order; a restart goes on where it stopped."""
    kinesis = stage.aws("kinesis", port)
    kinesis.create_stream("clicks", 2)
    put(kinesis, 0, count)
    clicks, copies = Ledger(stage.path("ledger")), Ledger(stage.path("copies"))
    pollard = run_stream(stage, port)
    wait_until(lambda: handled(clicks, "clicks", count) and handled(copies, "copies", count), 60,
               "both triggers handled every record")
    assert stop(pollard) == 0
    pollard = run_stream(stage, port)
    put(kinesis, count, count + 20)
    wait_until(lambda: handled(clicks, "clicks", count + 20) and handled(copies, "copies", count + 20), 60,
               "the new records were handled")
    assert stop(pollard) == 0
    assert len(clicks.read()) == count + 20, "a clean restart repeats nothing"
    assert_order_per_key(clicks.read())


def story_reshard(stage, port, count):
    """Split and merge while records flow: order is kept per partition key."""
    kinesis = stage.aws("kinesis", port)
    kinesis.create_stream("clicks", 1)
    clicks = Ledger(stage.path("ledger"))
    put(kinesis, 0, count)
    pollard = run_stream(stage, port)
    wait_until(lambda: handled(clicks, "clicks", count), 60, "the first records were handled")
    only = kinesis.shards("clicks")[0]
    kinesis.call("SplitShard", StreamName="clicks", ShardToSplit=only["ShardId"], NewStartingHashKey=str(1 << 127))
    wait_until(lambda: kinesis.stream_is_active("clicks"), 30, "the split is done")
    put(kinesis, count, 2 * count)
    wait_until(lambda: handled(clicks, "clicks", 2 * count), 60, "the children's records were handled")
    a, b = [s["ShardId"] for s in kinesis.shards("clicks") if s.get("ParentShardId") == only["ShardId"]]
    kinesis.call("MergeShards", StreamName="clicks", ShardToMerge=a, AdjacentShardToMerge=b)
    wait_until(lambda: kinesis.stream_is_active("clicks"), 30, "the merge is done")
    put(kinesis, 2 * count, 3 * count)
    wait_until(lambda: handled(clicks, "clicks", 3 * count), 60, "the merged shard's records were handled")
    assert stop(pollard) == 0
    assert_order_per_key(clicks.read())


# ---- both ---------------------------------------------------------------------

EMIT = """
version: 1
aws: {{region: us-east-1, endpoint_urls: {{sqs: "http://127.0.0.1:{sqs}", kinesis: "http://127.0.0.1:{kinesis}"}}}}
store: {{sqlite: {{path: {folder}/state.db}}}}
triggers:
  orders:
    source: {{sqs: {{queue: orders}}}}
    wait_time_seconds: 1
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger, emit: true}}}}
    destination_config: {{on_success: {{destination: "arn:aws:kinesis:us-east-1:000000000000:stream/results"}}}}
  results:
    source: {{kinesis: {{stream: results}}}}
    starting_position: TRIM_HORIZON
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger}}}}
"""


def story_emit(stage, sqs_port, kinesis_port, count):
    """What a queue's handler emits reaches the stream before the queue is
    emptied."""
    sqs, kinesis = stage.aws("sqs", sqs_port), stage.aws("kinesis", kinesis_port)
    url = sqs.create_queue("orders", VisibilityTimeout=5)
    kinesis.create_stream("results", 2)
    bodies = [f"order {i}" for i in range(count)]
    sqs.send_all(url, bodies)
    config = stage.write("pollard.yaml", EMIT.format(sqs=sqs_port, kinesis=kinesis_port, handler=stage.handler(),
                                                     folder=stage.folder))
    pollard, ledger = stage.start_pollard(config), Ledger(stage.path("ledger"))
    wait_until(lambda: set(ledger.data("results")) == set(bodies), 60, "every result came out of the stream")
    wait_until(lambda: sqs.counts(url) == (0, 0, 0), 30, "the queue is empty")
    assert stop(pollard) == 0


# moto is slow: it gets less to do.
STORIES = []
for server, count in ((local, 500), (elasticmq, 500), (moto, 60)):
    for protocol in ("json", "query"):
        STORIES.append((f"queue {server.__name__} {protocol}", story_queue, (server,), (count, protocol)))
    STORIES.append((f"sigterm {server.__name__}", story_sigterm, (server,), (max(count, 120), "auto")))
    STORIES.append((f"dead_letter {server.__name__}", story_dead_letter, (server,), (20, "auto")))
STORIES.append(("signature moto", story_signature, (), (20,)))
for server, count in ((local, 500), (kinesis_mock, 300), (moto, 100)):
    STORIES.append((f"stream {server.__name__}", story_stream, (server,), (count,)))
for server in (local, kinesis_mock):
    STORIES.append((f"reshard {server.__name__}", story_reshard, (server,), (100,)))
STORIES.append(("emit local", story_emit, (local, local), (100,)))
STORIES.append(("emit elasticmq kinesis_mock", story_emit, (elasticmq, kinesis_mock), (100,)))
STORIES += failures.stories(SERVERS, local, elasticmq, moto, kinesis_mock)


def main():
    wanted, failed, passed = sys.argv[3:], 0, 0
    for name, story, servers, arguments in STORIES:
        if wanted and not any(w in name for w in wanted):
            continue
        begun = time.monotonic()
        try:
            with Stage(BUILD) as stage:
                story(stage, *(server(stage) for server in servers), *arguments)
        except Exception as problem:  # one story's failure must not hide the next
            failed += 1
            print(f"FAILED {name}: {type(problem).__name__}: {problem}", flush=True)
            continue
        passed += 1
        print(f"ok     {name} ({time.monotonic() - begun:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()

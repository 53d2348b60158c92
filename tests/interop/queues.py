"""Stories of standard queues, over JSON and over Query, and of signatures that
moto checks.
"""
import json
import re
import urllib.parse
import urllib.request

from servers import INSTALLED, elasticmq, local, moto
from stage import Ledger, free_port, stop, wait_until

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
    wait_until(lambda: set(ledger.data("orders")) >= set(bodies), 120, "every message was handled")
    wait_until(lambda: sqs.counts(url) == (0, 0, 0), 120, "the queue is empty")
    assert stop(pollard) == 0
    assert set(ledger.data("orders")) == set(bodies)


def story_sigterm(stage, port, count, protocol):
    """After a SIGTERM under load not one message stays hidden."""
    sqs = stage.aws("sqs", port)
    url = sqs.create_queue("orders", VisibilityTimeout=600)
    bodies = [f"order {i}" for i in range(count)]
    sqs.send_all(url, bodies)
    pollard, ledger = run_queue(stage, port, protocol, delay_ms=80)
    wait_until(lambda: len(ledger.read()) >= 20, 120, "work is under way")
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
    url = sqs.create_queue("orders", VisibilityTimeout=4,
                           RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2}))
    sqs.send_all(url, [f"order {i}" for i in range(count)] + ["flaky poison"])
    pollard, ledger = run_queue(stage, port, protocol)
    wait_until(lambda: len(set(ledger.data("orders"))) == count, 120, "the good ones were handled")
    wait_until(lambda: sqs.counts(dead)[0] == 1 and sqs.counts(url) == (0, 0, 0), 120,
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
    stage.start_server("signed-moto", [f"{INSTALLED}/moto/bin/moto_server", "-H", "127.0.0.1", "-p", str(port)], port,
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
    wait_until(lambda: stage.log_events("refused", "trigger.failed"), 120, "the wrong secret is refused")
    assert "SignatureDoesNotMatch" in stage.log_events("refused", "trigger.failed")[0]["error"]
    stop(refused)
    ledger = Ledger(stage.path("ledger"))
    assert not ledger.read()
    pollard = stage.start_pollard(config, env={"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret})
    wait_until(lambda: set(ledger.data("orders")) == set(bodies), 120, "every message was handled")
    assert stop(pollard) == 0


# moto is slow: it gets less to do.
STORIES = []
for server, count in ((local, 500), (elasticmq, 500), (moto, 60)):
    for protocol in ("json", "query"):
        STORIES.append((f"queue {server.__name__} {protocol}", story_queue, (server,), (count, protocol)))
    STORIES.append((f"sigterm {server.__name__}", story_sigterm, (server,), (max(count, 120), "auto")))
    STORIES.append((f"dead_letter {server.__name__}", story_dead_letter, (server,), (20, "auto")))
STORIES.append(("signature moto", story_signature, (), (20,)))

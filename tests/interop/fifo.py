"""Stories of FIFO queues: order within a group, groups side by side, and what a
failure means for those behind it.
"""
import json

from servers import elasticmq, local, moto
from stage import Ledger, stop, wait_until

CONFIG = """
version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
triggers:
  orders:
    source: {{sqs: {{queue: orders.fifo}}}}
    wait_time_seconds: 1
    provisioned_poller_config: {{maximum_pollers: {pollers}}}
    visibility_heartbeat: {heartbeat}
    fifo_failure: {failure}
    scaling_config: {{maximum_concurrency: {concurrency}}}
    handler:
      library: {handler}
      isolation: thread
      timeout: 10s
      settings: {{path: {folder}/ledger, fail: flaky, delay_ms: {delay_ms}, delay_once: {delay_once}}}
"""


class Server:
    """A server, what it can bear, and whether it keeps a group's order when
    several of its messages come back."""

    def __init__(self, start, groups, each, pollers, keeps_order):
        self.start, self.groups, self.each, self.pollers = start, groups, each, pollers
        self.name, self.keeps_order = start.__name__, keeps_order

    def assert_in_order(self, rows):
        for group, numbers in by_group(rows).items():
            assert numbers == sorted(numbers) or not self.keeps_order, (group, numbers)


# moto is slow, a receive that waits does not see that a group is taken, and of
# those that come back at once it may hand out the last one first.
SERVERS = (Server(local, 60, 20, 10, True), Server(elasticmq, 40, 15, 10, True), Server(moto, 12, 10, 1, False))


def run(stage, port, server, failure="release_group", concurrency=4, delay_ms=0, delay_once="false",
        heartbeat="false"):
    config = stage.write("pollard.yaml", CONFIG.format(
        port=port, failure=failure, concurrency=concurrency, delay_ms=delay_ms, delay_once=delay_once,
        heartbeat=heartbeat, pollers=server.pollers, handler=stage.handler(), folder=stage.folder))
    return stage.start_pollard(config)


def create(sqs, name="orders.fifo", **attributes):
    return sqs.create_queue(name, FifoQueue="true", **attributes)


def arn_of(sqs, url):
    return sqs.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def messages(groups, each, flaky=()):
    """(group, body), the groups taking turns; bodies are "number group", and
    "flaky" where one is to fail twice."""
    found = []
    for number in range(each):
        for group in range(groups):
            mark = " flaky" if (group, number) in flaky else ""
            found.append((f"group-{group}", f"{number} group-{group}{mark}"))
    return found


def send(sqs, url, wanted):
    for i in range(0, len(wanted), 10):
        entries = [{"Id": str(n), "MessageGroupId": group, "MessageDeduplicationId": str(i + n), "MessageBody": body}
                   for n, (group, body) in enumerate(wanted[i:i + 10])]
        reply = sqs.call("SendMessageBatch", QueueUrl=url, Entries=entries)
        assert not reply.get("Failed"), reply


def by_group(rows):
    """{group: the numbers of its messages}"""
    found = {}
    for _, _, _, group, data in rows:
        found.setdefault(group, []).append(int(data.split()[0]))
    return found


def last_times(rows):
    """Each message where it was handled for the last time: before it was
    deleted, that is."""
    return list(dict.fromkeys(reversed(rows)))[::-1]


def wait_for(sqs, url, ledger, bodies):
    wait_until(lambda: set(ledger.data("orders")) >= set(bodies), 180, "every message was handled")
    wait_until(lambda: sqs.counts(url) == (0, 0, 0), 120, "the queue is empty")


FLAKY = {(0, 0), (1, 3), (2, 7)}


def story_release_group(stage, port, server):
    """Messages fail, and those behind them in their group wait: what counts is
    done in order, other groups go on."""
    sqs, wanted = stage.aws("sqs", port), messages(5, server.each, FLAKY)
    url, ledger = create(sqs, VisibilityTimeout=4), Ledger(stage.path("ledger"))
    send(sqs, url, wanted)
    pollard = run(stage, port, server)
    wait_for(sqs, url, ledger, [body for _, body in wanted])
    assert stop(pollard) == 0
    rows = ledger.read()
    assert set(ledger.data("orders")) == {body for _, body in wanted}
    server.assert_in_order(last_times(rows))
    for group in ("group-3", "group-4"):  # nothing of them failed
        assert by_group(rows)[group] == list(range(server.each)), rows


def story_lambda(stage, port, server):
    """Lambda's own way: what succeeded is deleted, though one before it in its
    group comes again; nothing is handled twice, nothing is lost."""
    sqs, wanted = stage.aws("sqs", port), messages(5, server.each, FLAKY)
    url, ledger = create(sqs, VisibilityTimeout=4), Ledger(stage.path("ledger"))
    send(sqs, url, wanted)
    pollard = run(stage, port, server, failure="lambda")
    wait_for(sqs, url, ledger, [body for _, body in wanted])
    assert stop(pollard) == 0
    assert sorted(ledger.data("orders")) == sorted(body for _, body in wanted)
    assert by_group(ledger.read())["group-4"] == list(range(server.each))


def receive_all(sqs, url):
    bodies = []
    while found := sqs.call("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in found]
        for message in found:
            sqs.call("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def story_dead_letter(stage, port, server):
    """A poisonous message ends in the dead-letter queue. What was received with
    it each time may follow it there, in order (SQS counts receives, whoever they
    were for); the rest of its group goes on, and healthy groups lose nothing."""
    sqs, wanted = stage.aws("sqs", port), messages(3, 20, {(1, 2)})
    dead = create(sqs, "orders-dead.fifo")
    url = create(sqs, VisibilityTimeout=5,
                 RedrivePolicy=json.dumps({"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": 2}))
    ledger, poison = Ledger(stage.path("ledger")), "2 group-1 flaky"
    send(sqs, url, wanted)
    pollard = run(stage, port, server)
    wait_for(sqs, url, ledger, [body for _, body in wanted if body != poison])
    assert stop(pollard) == 0
    given_up, rows = receive_all(sqs, dead), ledger.read()
    assert poison in given_up and poison not in ledger.data("orders"), given_up
    start = wanted.index(("group-1", poison))
    behind = [body for group, body in wanted[start:] if group == "group-1"]
    assert len(given_up) < 10 and set(given_up) <= set(behind), given_up
    assert given_up == behind[:len(given_up)] or not server.keeps_order, given_up
    server.assert_in_order(last_times(rows))
    for group in ("group-0", "group-2"):
        assert by_group(rows)[group] == list(range(20)), rows


def story_many_groups(stage, port, server):
    """All groups at once, ten batches at a time: each message once, in order."""
    sqs, wanted = stage.aws("sqs", port), messages(server.groups, server.each)
    url = create(sqs, VisibilityTimeout=60, FifoThroughputLimit="perMessageGroupId",
                 DeduplicationScope="messageGroup")
    ledger = Ledger(stage.path("ledger"))
    send(sqs, url, wanted)
    pollard = run(stage, port, server, concurrency=10, delay_ms=20)
    wait_for(sqs, url, ledger, [body for _, body in wanted])
    assert stop(pollard) == 0
    assert len(ledger.read()) == len(wanted)
    for group, numbers in by_group(ledger.read()).items():
        assert numbers == list(range(server.each)), (group, numbers)


def story_slow_once(stage, port, server):
    """Work takes longer than messages are hidden: they come again, and the
    handles of the first time are worth nothing. Nothing is lost, and each
    group's messages are first handled in order."""
    sqs, wanted = stage.aws("sqs", port), messages(3, 4)
    url, ledger = create(sqs, VisibilityTimeout=3), Ledger(stage.path("ledger"))
    send(sqs, url, wanted)
    pollard = run(stage, port, server, delay_ms=4500, delay_once="true")
    wait_for(sqs, url, ledger, [body for _, body in wanted])
    assert stop(pollard) == 0
    server.assert_in_order(list(dict.fromkeys(ledger.read())))


def story_heartbeat(stage, port, server):
    """All work takes longer than messages are hidden, and none comes again: they
    are kept hidden meanwhile."""
    sqs, wanted = stage.aws("sqs", port), messages(3, 4)
    url, ledger = create(sqs, VisibilityTimeout=6), Ledger(stage.path("ledger"))
    send(sqs, url, wanted)
    pollard = run(stage, port, server, delay_ms=7500, heartbeat="true")
    wait_for(sqs, url, ledger, [body for _, body in wanted])
    assert stop(pollard) == 0
    assert sorted(ledger.data("orders")) == sorted(body for _, body in wanted)
    server.assert_in_order(ledger.read())


STORIES = [(f"fifo {story.__name__.removeprefix('story_')} {server.name}", story, (server.start,), (server,))
           for server in SERVERS
           for story in (story_release_group, story_lambda, story_dead_letter, story_many_groups, story_slow_once,
                         story_heartbeat)]

"""Stories of enhanced fan-out: kinesis-mock pushes, over HTTP/1.1 and over TLS
with HTTP/2.
"""
from servers import kinesis_mock
from stage import Ledger, stop, wait_until
from streams import assert_order_per_key, handled, put

FANOUT = """
version: 1
aws: {{region: us-east-1, endpoint_url: "{url}"{more}}}
store: {{sqlite: {{path: {folder}/state.db}}, checkpoint_interval: 100ms}}
triggers:
  clicks:
    source: {source}
    starting_position: TRIM_HORIZON
    batch_size: 50
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger}}}}
"""
REGISTERED = "{kinesis: {stream: clicks, consumer: pushed, register_consumer: true}}"


def run(stage, url, source=REGISTERED, more=""):
    config = stage.write("pollard.yaml", FANOUT.format(url=url, source=source, more=more, handler=stage.handler(),
                                                       folder=stage.folder))
    return stage.start_pollard(config)


def plain(port):
    return f"http://127.0.0.1:{port}"


def stream_arn(kinesis):
    return kinesis.call("DescribeStreamSummary", StreamName="clicks")["StreamDescriptionSummary"]["StreamARN"]


def consumer(kinesis):
    return kinesis.call("DescribeStreamConsumer", StreamARN=stream_arn(kinesis),
                        ConsumerName="pushed")["ConsumerDescription"]


def story_pushed(stage, port, count):
    """A consumer is registered, every record comes once and in order, and a
    restart goes on where it stopped."""
    kinesis = stage.aws("kinesis", port)
    kinesis.create_stream("clicks", 2)
    put(kinesis, 0, count)
    ledger = Ledger(stage.path("ledger"))
    pollard = run(stage, plain(port))
    wait_until(lambda: handled(ledger, "clicks", count), 60, "every record was handled")
    assert consumer(kinesis)["ConsumerStatus"] == "ACTIVE"
    put(kinesis, count, 2 * count)
    wait_until(lambda: handled(ledger, "clicks", 2 * count), 60, "the later records were handled")
    assert stop(pollard) == 0
    pollard = run(stage, plain(port))
    put(kinesis, 2 * count, 2 * count + 20)
    wait_until(lambda: handled(ledger, "clicks", 2 * count + 20), 60, "the new records were handled")
    assert stop(pollard) == 0
    assert len(ledger.read()) == 2 * count + 20, "a clean restart repeats nothing"
    assert_order_per_key(ledger.read())


STORIES = [
    ("fanout kinesis_mock", story_pushed, (kinesis_mock,), (300,)),
]

"""Stories of enhanced fan-out: kinesis-mock pushes, over HTTP/1.1 and over TLS
with HTTP/2.
"""
import socket
import ssl

from servers import kinesis_mock, kinesis_mock_tls
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


def run(stage, url, source=REGISTERED, more="", name="pollard"):
    config = stage.write("pollard.yaml", FANOUT.format(url=url, source=source, more=more, handler=stage.handler(),
                                                       folder=stage.folder))
    return stage.start_pollard(config, name)


def plain(port):
    return f"http://127.0.0.1:{port}"


def stream_arn(kinesis):
    return kinesis.call("DescribeStreamSummary", StreamName="clicks")["StreamDescriptionSummary"]["StreamARN"]


def consumer(kinesis):
    return kinesis.call("DescribeStreamConsumer", StreamARN=stream_arn(kinesis),
                        ConsumerName="pushed")["ConsumerDescription"]


def story_plain(stage, port, count):
    """Over HTTP/1.1."""
    be_pushed(stage, port, count, plain(port))


def protocol_of(port):
    """What the server chooses where both are offered."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", port), 30) as raw, context.wrap_socket(raw) as connection:
        return connection.selected_alpn_protocol()


def story_tls(stage, ports, count):
    """Over TLS with HTTP/2; the server's certificate is checked."""
    tls, port = ports
    assert protocol_of(tls) == "h2"
    url, bundle = f"https://127.0.0.1:{tls}", stage.path("certificate.pem")
    be_pushed(stage, port, count, url, f", ca_bundle: {bundle}")
    refused = run(stage, url, name="refused")  # without the bundle
    wait_until(lambda: stage.log_events("refused", "stream.unlisted"), 120, "an unknown certificate is refused")
    assert "certificate" in stage.log_events("refused", "stream.unlisted")[0]["error"]
    assert stop(refused) == 0


def be_pushed(stage, port, count, url, more=""):
    """A consumer is registered, every record comes once and in order, and a
    restart goes on where it stopped."""
    kinesis = stage.aws("kinesis", port)
    kinesis.create_stream("clicks", 2)
    put(kinesis, 0, count)
    ledger = Ledger(stage.path("ledger"))
    pollard = run(stage, url, more=more)
    wait_until(lambda: handled(ledger, "clicks", count), 120, "every record was handled")
    assert consumer(kinesis)["ConsumerStatus"] == "ACTIVE"
    put(kinesis, count, 2 * count)
    wait_until(lambda: handled(ledger, "clicks", 2 * count), 120, "the later records were handled")
    assert stop(pollard) == 0
    pollard = run(stage, url, more=more)
    put(kinesis, 2 * count, 2 * count + 20)
    wait_until(lambda: handled(ledger, "clicks", 2 * count + 20), 120, "the new records were handled")
    assert stop(pollard) == 0
    assert len(ledger.read()) == 2 * count + 20, "a clean restart repeats nothing"
    assert_order_per_key(ledger.read())


STORIES = [
    ("fanout plain kinesis_mock", story_plain, (kinesis_mock,), (300,)),
    ("fanout tls kinesis_mock", story_tls, (kinesis_mock_tls,), (300,)),
]

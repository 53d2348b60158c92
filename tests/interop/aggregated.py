"""Records aggregated by AWS's own library for Python, on kinesis-mock, split by
a whole pollard: by GetRecords and by enhanced fan-out.
"""
import base64
import json
import sqlite3
import subprocess

from servers import INSTALLED, kinesis_mock
from stage import Ledger, stop, wait_until

CONFIG = """
version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: {folder}/state.db}}, checkpoint_interval: 50ms}}
triggers:
  clicks:
    source: {source}
    starting_position: TRIM_HORIZON
    deaggregate: auto
    batch_size: {batch_size}
    handler: {{library: {handler}, isolation: thread, settings: {{path: {folder}/ledger, delay_ms: {delay_ms}}}}}
"""
POLLED = "{kinesis: {stream: clicks}}"
PUSHED = "{kinesis: {stream: clicks, consumer: pushed, register_consumer: true}}"

# From lines of [key, explicit hash key or null, text], one aggregated record
# for each line of them: [key, hash key or null, base64].
AGGREGATE = """
import base64, json, sys
from aws_kinesis_agg.aggregator import RecordAggregator
for line in sys.stdin:
    aggregator = RecordAggregator()
    for key, hash_key, text in json.loads(line):
        assert aggregator.add_user_record(key, text, hash_key) is None, "it is full"
    key, hash_key, data = aggregator.clear_and_get().get_contents()
    print(json.dumps([key, hash_key, base64.b64encode(data).decode()]))
"""


def aggregate(groups):
    lines = "".join(json.dumps(group) + "\n" for group in groups)
    done = subprocess.run([f"{INSTALLED}/aggregator/bin/python", "-c", AGGREGATE], input=lines, text=True, check=True,
                          capture_output=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def put(kinesis, groups):
    for key, hash_key, data in aggregate(groups):
        more = {"ExplicitHashKey": hash_key} if hash_key else {}
        kinesis.call("PutRecord", StreamName="clicks", PartitionKey=key, Data=data, **more)


def run(stage, port, source, batch_size=100, delay_ms=0):
    return stage.start_pollard(stage.write("pollard.yaml", CONFIG.format(
        port=port, source=source, batch_size=batch_size, delay_ms=delay_ms, folder=stage.folder,
        handler=stage.handler())))


def rows(ledger):
    """(id, key, data)"""
    return [row[2:] for row in ledger.read()]


def assert_places(found):
    """The parts of each record come in order, from the first."""
    last = {}
    for identity, _, _ in found:
        if ":" not in identity:
            continue
        sequence, place = identity.split(":")
        assert int(place) == last.get(sequence, -1) + 1, f"{identity} came after {last.get(sequence)}"
        last[sequence] = int(place)


def story_split(stage, port, source):
    """What the library put into records comes out of them, with the keys, beside
    records that were not aggregated; one with explicit hash keys, too."""
    kinesis = stage.aws("kinesis", port)
    kinesis.create_stream("clicks", 2)
    groups = [[(f"key-{n % 7}", None, f"record-{n}") for n in range(first, first + 25)] for first in range(0, 200, 25)]
    groups.append([(f"key-{n % 7}", str(n << 100), f"record-{n}") for n in range(200, 230)])
    groups.append([("ключ", None, "record-230")])
    put(kinesis, groups)
    kinesis.call("PutRecord", StreamName="clicks", PartitionKey="alone",
                 Data=base64.b64encode(b"record-231").decode())
    ledger = Ledger(stage.path("ledger"))
    pollard = run(stage, port, source)
    wanted = {(key, text) for group in groups for key, _, text in group} | {("alone", "record-231")}
    wait_until(lambda: {row[1:] for row in rows(ledger)} >= wanted, 120, "every user record was handled")
    assert stop(pollard) == 0
    assert len(rows(ledger)) == 232, "none came twice"
    assert {row[1:] for row in rows(ledger)} == wanted
    assert len({row[0] for row in rows(ledger)}) == 232, "no two have one id"
    assert_places(rows(ledger))


def checkpoint(stage):
    with sqlite3.connect(f"file:{stage.path('state.db')}?mode=ro", uri=True) as store:
        row = store.execute("SELECT ckpt, ckpt_sub FROM lease").fetchone()
    store.close()
    return row


def is_inside(stage):
    try:
        row = checkpoint(stage)
    except sqlite3.Error:
        return False
    return row and row[1] > 0


def story_restart(stage, port, source):
    """A restart in the middle of a record goes on with the next user record."""
    kinesis = stage.aws("kinesis", port)
    kinesis.create_stream("clicks", 1)
    put(kinesis, [[(f"key-{n % 7}", None, f"record-{n}") for n in range(60)]])
    ledger = Ledger(stage.path("ledger"))
    pollard = run(stage, port, source, batch_size=3, delay_ms=200)
    wait_until(lambda: is_inside(stage), 120, "the checkpoint lies inside of the record")
    assert stop(pollard) == 0
    assert is_inside(stage) and len(rows(ledger)) < 60
    put(kinesis, [[(f"key-{n % 7}", None, f"record-{n}") for n in range(60, 80)]])
    pollard = run(stage, port, source)
    wait_until(lambda: len(rows(ledger)) >= 80, 120, "the rest was handled")
    assert stop(pollard) == 0
    assert [row[2] for row in rows(ledger)] == [f"record-{n}" for n in range(80)], "each once, and in order"


STORIES = [(f"aggregated {name} {way} kinesis_mock", story, (kinesis_mock,), (source,))
           for name, story in (("split", story_split), ("restart", story_restart))
           for way, source in (("polled", POLLED), ("pushed", PUSHED))]

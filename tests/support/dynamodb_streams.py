"""A DynamoDB Streams server that follows the test's script: shards that rotate,
are trimmed, hidden from listings or gone, iterators that expire, answers that
are refused or damaged. It keeps the rules that the service keeps (wire.md
section 4), and notes every call.
"""
import contextlib
import http.server
import json
import threading
import time
import zlib

REGION, ACCOUNT = "eu-west-1", "123456789012"


class Refusal(Exception):
    def __init__(self, code, status=400):
        self.code, self.status = code, status
        super().__init__(code)


class Shard:
    def __init__(self, name, parent):
        self.name, self.parent = name, parent
        self.records = []      # (sequence, record)
        self.horizon = 0       # index of the oldest record that is left
        self.is_closed = False
        self.is_listed = True
        self.is_gone = False   # listed, perhaps, but not to be read

    def describe(self):
        numbers = {"StartingSequenceNumber": "100000000000000000001"}
        if self.is_closed:
            numbers["EndingSequenceNumber"] = self.records[-1][0] if self.records else "100000000000000000001"
        found = {"ShardId": self.name, "SequenceNumberRange": numbers}
        if self.parent:
            found["ParentShardId"] = self.parent
        return found


class Stream:
    def __init__(self, table, label, region=REGION, account=ACCOUNT):
        self.table, self.label = table, label
        self.arn = f"arn:aws:dynamodb:{region}:{account}:table/{table}/stream/{label}"
        self.status = "ENABLED"
        self.shards = {}  # by name, in the order of their creation


class DynamodbStreams:
    """The state is the test's to change, under `lock`, by these methods."""

    def __init__(self, shards_a_page=2):
        self.lock = threading.RLock()
        self.streams = []
        self.calls = []     # (monotonic, operation, arguments)
        self.faults = {}    # operation: [Refusal or "damage" or "cut", ...] for the next calls
        self.generation = 0  # of iterators
        self.shards_a_page = shards_a_page
        self.sequence = 100000000000000000001
        self.shard_number = 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # ---- the script's verbs ----

    def stream(self, table, label, *where):
        with self.lock:
            self.streams.append(Stream(table, label, *where))
            return self.streams[-1]

    def shard(self, stream, parent=None, is_listed=True):
        with self.lock:
            self.shard_number += 1
            shard = Shard(f"shardId-{self.shard_number:020d}-{0xabcd0000 + self.shard_number:08x}", parent)
            shard.is_listed = is_listed
            stream.shards[shard.name] = shard
            return shard

    def rotate(self, stream, shard, is_listed=True):
        """What the service does every four hours or so."""
        with self.lock:
            shard.is_closed = True
            return self.shard(stream, shard.name, is_listed)

    def put(self, shard, key, number, age_s=0):
        with self.lock:
            assert not shard.is_closed
            self.sequence += 1
            item = {"id": {"S": key}, "n": {"N": str(number)}}
            shard.records.append((str(self.sequence), {
                "awsRegion": REGION,
                "dynamodb": {
                    "ApproximateCreationDateTime": int(time.time()) - age_s, "Keys": {"id": {"S": key}},
                    "NewImage": item, "SequenceNumber": str(self.sequence), "SizeBytes": 20,
                    "StreamViewType": "NEW_IMAGE"},
                "eventID": f"{self.sequence:032x}", "eventName": "INSERT", "eventSource": "aws:dynamodb",
                "eventVersion": "1.1"}))

    def put_record(self, shard, record):
        """As the test made it, under its own sequence number."""
        with self.lock:
            assert not shard.is_closed
            shard.records.append((record["dynamodb"]["SequenceNumber"], record))

    def trim(self, shard, count):
        """The oldest `count` records are over a day old now."""
        with self.lock:
            shard.horizon += count

    def disable(self, stream):
        with self.lock:
            stream.status = "DISABLED"
            for shard in stream.shards.values():
                shard.is_closed = True

    def expire_iterators(self):
        with self.lock:
            self.generation += 1

    def fail_next(self, operation, *faults):
        with self.lock:
            self.faults.setdefault(operation, []).extend(faults)

    def seen(self, operation):
        with self.lock:
            return [(at, arguments) for at, name, arguments in self.calls if name == operation]

    # ---- the operations ----

    def find(self, arn):
        for stream in self.streams:
            if stream.arn == arn:
                return stream
        raise Refusal("ResourceNotFoundException")

    def list_streams(self, TableName=None, **_):
        return {"Streams": [{"StreamArn": s.arn, "TableName": s.table, "StreamLabel": s.label}
                            for s in self.streams if TableName in (None, s.table)]}

    def describe_stream(self, StreamArn, ExclusiveStartShardId=None, **_):
        stream = self.find(StreamArn)
        listed = [s for s in stream.shards.values() if s.is_listed]
        names = [s.name for s in listed]
        start = names.index(ExclusiveStartShardId) + 1 if ExclusiveStartShardId in names else 0
        page = listed[start:start + self.shards_a_page]
        found = {"StreamArn": stream.arn, "StreamLabel": stream.label, "StreamStatus": stream.status,
                 "TableName": stream.table, "StreamViewType": "NEW_IMAGE", "Shards": [s.describe() for s in page]}
        if start + len(page) < len(listed):
            found["LastEvaluatedShardId"] = page[-1].name
        return {"StreamDescription": found}

    def readable(self, arn, name):
        shard = self.find(arn).shards.get(name)
        if not shard or shard.is_gone:
            raise Refusal("ResourceNotFoundException")
        return shard

    def iterator(self, arn, shard, index):
        return json.dumps([arn, shard.name, index, self.generation])

    def get_shard_iterator(self, StreamArn, ShardId, ShardIteratorType, SequenceNumber=None):
        shard = self.readable(StreamArn, ShardId)
        index = {"TRIM_HORIZON": shard.horizon, "LATEST": len(shard.records)}.get(ShardIteratorType)
        if ShardIteratorType == "AFTER_SEQUENCE_NUMBER":
            numbers = [sequence for sequence, _ in shard.records]
            if SequenceNumber not in numbers:
                raise Refusal("ValidationException")
            index = numbers.index(SequenceNumber) + 1
            if index < shard.horizon:
                raise Refusal("TrimmedDataAccessException")
        if index is None:
            raise Refusal("ValidationException")
        return {"ShardIterator": self.iterator(StreamArn, shard, index)}

    def get_records(self, ShardIterator, Limit=1000):
        arn, name, index, generation = json.loads(ShardIterator)
        if generation != self.generation:
            raise Refusal("ExpiredIteratorException")
        shard = self.readable(arn, name)
        if index < shard.horizon:
            raise Refusal("TrimmedDataAccessException")
        assert 1 <= Limit <= 1000
        page = [record for _, record in shard.records[index:index + Limit]]
        found = {"Records": page}
        if not shard.is_closed or index + len(page) < len(shard.records):
            found["NextShardIterator"] = self.iterator(arn, shard, index + len(page))
        return found

    def answer(self, operation, arguments):
        """(status, body, headers)"""
        with self.lock:
            self.calls.append((time.monotonic(), operation, arguments))
            fault = self.faults.get(operation) and self.faults[operation].pop(0)
            try:
                if isinstance(fault, Refusal):
                    raise fault
                body = json.dumps(getattr(self, {
                    "ListStreams": "list_streams", "DescribeStream": "describe_stream",
                    "GetShardIterator": "get_shard_iterator", "GetRecords": "get_records",
                }[operation])(**arguments), separators=(",", ":")).encode()
            except Refusal as refusal:
                return refusal.status, json.dumps({
                    "__type": f"com.amazonaws.dynamodb.v20120810#{refusal.code}",
                    "message": "as the test says"}).encode(), {}
        headers = {"x-amz-crc32": str(zlib.crc32(body))}
        if fault == "damage":
            body = body.replace(b"eventID", b"eventId", 1).replace(b"Records", b"Recordz", 1)
        return 200, body, headers

    def handler(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                target, operation = self.headers["X-Amz-Target"].split(".")
                assert target == "DynamoDBStreams_20120810", target
                assert "/dynamodb/aws4_request" in self.headers["Authorization"]
                assert self.headers["Content-Type"] == "application/x-amz-json-1.0"
                status, answer, headers = server.answer(operation, json.loads(body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # a worker that stops
                    self.wfile.write(answer)

            def log_message(self, *_):
                pass

        return Handler

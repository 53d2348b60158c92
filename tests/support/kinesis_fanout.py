"""A Kinesis that follows the test's script, for enhanced fan-out: consumers that
come and go, subscriptions that are pushed, cut, damaged, refused, taken over.
It keeps the rules that the service keeps (wire.md sections 2.5 and 2.6), and
notes every call.
"""
import base64
import contextlib
import http.server
import json
import struct
import threading
import time
import zlib

REGION, ACCOUNT = "eu-west-1", "123456789012"
STREAM_ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks"
EVENT_RECORDS = 10
QUIET_S = 0.2  # between two events that have nothing to say


class Refusal(Exception):
    def __init__(self, code, status=400):
        self.code, self.status = code, status
        super().__init__(code)


class Gone(Exception):
    """The subscription ends here, and its connection with it."""


def frame(payload, **headers):
    """wire.md section 2.6; message_type is ":message-type", and so on."""
    packed = b""
    for name, value in headers.items():
        name, value = ":" + name.replace("_", "-"), value.encode()
        packed += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value
    start = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    start += struct.pack(">I", zlib.crc32(start))
    return start + packed + payload + struct.pack(">I", zlib.crc32(start + packed + payload))


def event(kind, document):
    return frame(json.dumps(document).encode(), message_type="event", event_type=kind,
                 content_type="application/json")


def exception(code):
    return frame(json.dumps({"message": "as the test says"}).encode(), message_type="exception",
                 exception_type=code, content_type="application/json")


class Shard:
    def __init__(self, name, parents):
        self.name, self.parents = name, parents
        self.records = []  # (sequence, key, data)
        self.children = []
        self.is_closed = False

    def describe(self):
        numbers = {"StartingSequenceNumber": "1" + 20 * "0"}
        if self.is_closed:
            numbers["EndingSequenceNumber"] = "2" + 20 * "0"
        found = {"ShardId": self.name, "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
                 "SequenceNumberRange": numbers}
        for name, parent in zip(("ParentShardId", "AdjacentParentShardId"), self.parents):
            found[name] = parent
        return found


class KinesisFanout:
    """The state is the test's to change, under `lock`, by these methods."""

    def __init__(self, greets=True, ends_shards=True):
        self.lock = threading.RLock()
        self.greets = greets            # with an initial-response
        self.ends_shards = ends_shards  # by ChildShards
        self.shards = {}    # by name
        self.consumer = None  # [ARN, status]
        self.consumers = 0  # ever
        self.calls = []     # (monotonic, operation, arguments)
        self.faults = []    # for the next subscriptions, one each
        self.subscriptions = {}  # shard: number of the one that has it
        self.sequence = 10 ** 20
        self.flood = None   # bytes to push for ever, instead of records
        self.flooded = 0    # bytes of it
        self.is_closing = False
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.is_closing = True
        self.server.shutdown()
        self.server.server_close()

    # ---- the script's verbs ----

    def shard(self, *parents):
        with self.lock:
            shard = Shard(f"shardId-{len(self.shards):012d}", parents)
            self.shards[shard.name] = shard
            for parent in parents:
                self.shards[parent].children.append(shard.name)
                self.shards[parent].is_closed = True
            return shard

    def put(self, shard, key, data):
        with self.lock:
            assert not shard.is_closed
            self.sequence += 1
            shard.records.append((self.sequence, key, data))

    def register(self, status="ACTIVE"):
        with self.lock:
            self.consumers += 1
            self.consumer = [f"{STREAM_ARN}/consumer/pushed:{self.consumers}", status]

    def deregister(self):
        """What is subscribed with it ends."""
        with self.lock:
            self.consumer = None
            self.subscriptions = {}

    def fail_next(self, *faults):
        """Refusal: at once. After an event: "bit", "prelude", "giant", "cut",
        "end", "nonsense", or the name of an exception."""
        with self.lock:
            self.faults.extend(faults)

    def seen(self, operation):
        with self.lock:
            return [(at, arguments) for at, name, arguments in self.calls if name == operation]

    # ---- the operations ----

    def describe_stream_summary(self, **_):
        return {"StreamDescriptionSummary": {
            "StreamName": "clicks", "StreamARN": STREAM_ARN, "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": 1795369143, "OpenShardCount": len(self.shards)}}

    def list_shards(self, **_):
        return {"Shards": [s.describe() for s in self.shards.values()]}

    def description(self):
        arn, status = self.consumer
        return {"ConsumerName": "pushed", "ConsumerARN": arn, "ConsumerStatus": status,
                "ConsumerCreationTimestamp": 1795369143}

    def describe_stream_consumer(self, ConsumerARN=None, **_):
        if not self.consumer or ConsumerARN not in (None, self.consumer[0]):
            raise Refusal("ResourceNotFoundException")
        return {"ConsumerDescription": self.description()}

    def register_stream_consumer(self, **_):
        if self.consumer:
            raise Refusal("ResourceInUseException")
        self.register("CREATING")
        return {"Consumer": self.description()}

    def answer(self, operation, arguments):
        """(status, body)"""
        with self.lock:
            try:
                return 200, getattr(self, {
                    "DescribeStreamSummary": "describe_stream_summary", "ListShards": "list_shards",
                    "DescribeStreamConsumer": "describe_stream_consumer",
                    "RegisterStreamConsumer": "register_stream_consumer",
                }[operation])(**arguments)
            except Refusal as refusal:
                return refusal.status, {"__type": refusal.code, "message": "as the test says"}

    # ---- subscriptions ----

    def subscribe(self, ConsumerARN, ShardId, StartingPosition):
        """(shard, its number, where it begins, a fault)"""
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
            if isinstance(fault, Refusal):
                raise fault
            shard = self.shards.get(ShardId)
            if not shard or not self.consumer or self.consumer[0] != ConsumerARN:
                raise Refusal("ResourceNotFoundException")
            if self.consumer[1] != "ACTIVE":
                raise Refusal("ResourceInUseException")
            number = self.subscriptions[ShardId] = self.subscriptions.get(ShardId, 0) + 1
            numbers = [sequence for sequence, _, _ in shard.records]
            kind = StartingPosition["Type"]
            index = {"TRIM_HORIZON": 0, "LATEST": len(numbers)}.get(kind)
            if kind == "AFTER_SEQUENCE_NUMBER":
                index = sum(n <= int(StartingPosition["SequenceNumber"]) for n in numbers)
            assert index is not None, StartingPosition
            return shard, number, index, fault

    def next_event(self, shard, number, index):
        """(a frame, the next index, whether the shard ends)"""
        with self.lock:
            if not self.consumer:
                return exception("ResourceNotFoundException"), index, True
            if self.subscriptions.get(shard.name) != number:
                return exception("ResourceInUseException"), index, True
            page = shard.records[index:index + EVENT_RECORDS]
            index += len(page)
            document = {"Records": [{"SequenceNumber": str(sequence), "PartitionKey": key,
                                     "Data": base64.b64encode(data.encode()).decode(),
                                     "ApproximateArrivalTimestamp": time.time()} for sequence, key, data in page],
                        "MillisBehindLatest": 0 if index == len(shard.records) else 1000}
            ends = shard.is_closed and index == len(shard.records)
            if not ends:
                document["ContinuationSequenceNumber"] = str(page[-1][0] if page else self.sequence)
            elif self.ends_shards:
                document["ChildShards"] = [{"ShardId": name, "ParentShards": [shard.name]}
                                           for name in shard.children]
            return event("SubscribeToShardEvent", document), index, ends and self.ends_shards

    def damaged(self, fault, good):
        """What is sent of an event instead of it, and then the end."""
        if fault == "bit":
            at = len(good) // 2
            return good[:at] + bytes([good[at] ^ 1]) + good[at + 1:] + good
        if fault == "prelude":
            return bytes([good[0] ^ 1]) + good[1:] + good
        if fault == "giant":
            claim = struct.pack(">II", 0xffffffff, 0)
            return claim + struct.pack(">I", zlib.crc32(claim)) + good
        if fault == "nonsense":
            return event("SubscribeToShardEvent", {"Surprise": True}) + good
        if fault in ("cut", "end"):
            return good[:len(good) // 2] if fault == "cut" else b""
        return exception(fault)

    def push(self, send, shard, number, index, fault):
        """Until the shard ends, or the subscription. Raises Gone to cut it."""
        first = True
        if self.greets:
            send(event("initial-response", {}))
        while self.flood and not self.is_closing:
            send(self.flood)
            with self.lock:
                self.flooded += len(self.flood)
        while not self.is_closing:
            start = index
            good, index, ends = self.next_event(shard, number, index)
            if fault and not first:
                send(self.damaged(fault, good))
                if fault == "cut":
                    raise Gone
                return
            send(good)
            first = False
            if ends:
                return
            if index == start:
                time.sleep(QUIET_S)

    def handler(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                target, operation = self.headers["X-Amz-Target"].split(".")
                assert target == "Kinesis_20131202", target
                assert "/kinesis/aws4_request" in self.headers["Authorization"]
                assert self.headers["Content-Type"] == "application/x-amz-json-1.1"
                with server.lock:
                    server.calls.append((time.monotonic(), operation, body))
                with contextlib.suppress(ConnectionError):  # a worker that stops, or cuts
                    if operation == "SubscribeToShard":
                        self.subscribe(body)
                    else:
                        self.reply(*server.answer(operation, body))

            def reply(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def subscribe(self, arguments):
                try:
                    subscription = server.subscribe(**arguments)
                except Refusal as refusal:
                    self.reply(refusal.status, {"__type": refusal.code, "message": "as the test says"})
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/vnd.amazon.eventstream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                try:
                    server.push(self.send_chunk, *subscription)
                    self.wfile.write(b"0\r\n\r\n")
                except Gone:
                    self.close_connection = True

            def send_chunk(self, data):
                if data:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

            def log_message(self, *_):
                pass

        return Handler

"""What the scripts that test a whole pollard share: a folder, processes that
end with the test, a small AWS client (JSON protocol, standard library only),
and the ledger that the test handler writes.
"""
import base64
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


given_ports = set()


def free_port():
    """A port for a server to listen on. It lies below those that the kernel
    gives to connections, so that none takes it before the server does."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as limits:
        end = int(limits.read().split()[0])
    while True:
        port = random.randrange(min(10000, end - 4096), end)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given_ports:
            given_ports.add(port)
            return port


def wait_until(claim, seconds, what):
    """Poll until claim() is true. Fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found = claim()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class AwsError(Exception):
    def __init__(self, status, body):
        self.status, self.body = status, body
        try:
            self.code = json.loads(body).get("__type", "").split("#")[-1]
        except ValueError:
            self.code = ""
        super().__init__(f"HTTP {status}: {body[:300]!r}")


class Aws:
    """Calls AWS operations on a loopback port. Signs nothing: it only shows
    what servers want to see."""

    # service: target, version of the JSON protocol, name in signatures
    TARGETS = {"sqs": ("AmazonSQS", "1.0", "sqs"), "kinesis": ("Kinesis_20131202", "1.1", "kinesis"),
               "dynamodb": ("DynamoDB_20120810", "1.0", "dynamodb"),
               "dynamodb_streams": ("DynamoDBStreams_20120810", "1.0", "dynamodb")}

    def __init__(self, service, port):
        self.service, self.port, self.connection = service, port, None

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def call(self, operation, **arguments):
        target, version, signed = self.TARGETS[self.service]
        headers = {
            "Content-Type": f"application/x-amz-json-{version}",
            "X-Amz-Target": f"{target}.{operation}",
            "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
            "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDTEST/20260101/us-east-1/"
            f"{signed}/aws4_request, SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
        }
        body = json.dumps(arguments).encode()
        for attempt in range(2):
            try:
                if not self.connection:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                self.connection.request("POST", "/", body, headers)
                reply = self.connection.getresponse()
                text = reply.read().decode()
                break
            except (http.client.HTTPException, OSError):
                self.close()
                if attempt:
                    raise
        if reply.status != 200:
            raise AwsError(reply.status, text)
        return json.loads(text) if text else {}

    # SQS
    def create_queue(self, name, **attributes):
        reply = self.call("CreateQueue", QueueName=name, Attributes={k: str(v) for k, v in attributes.items()})
        return reply["QueueUrl"]

    def send_all(self, url, bodies):
        for i in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": b} for n, b in enumerate(bodies[i:i + 10])]
            reply = self.call("SendMessageBatch", QueueUrl=url, Entries=entries)
            assert not reply.get("Failed"), reply

    def counts(self, url):
        """(visible, in flight, delayed)"""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
                 "ApproximateNumberOfMessagesDelayed"]
        found = self.call("GetQueueAttributes", QueueUrl=url, AttributeNames=names)["Attributes"]
        return tuple(int(found.get(n, 0)) for n in names)

    # Kinesis
    def create_stream(self, name, shards):
        self.call("CreateStream", StreamName=name, ShardCount=shards)
        wait_until(lambda: self.stream_is_active(name), 60, f"stream {name} is active")

    def stream_is_active(self, name):
        try:
            reply = self.call("DescribeStreamSummary", StreamName=name)
        except AwsError:
            return False
        return reply["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"

    def put_all(self, stream, records):
        """records: (partition key, text)"""
        for i in range(0, len(records), 100):
            todo = [{"Data": base64.b64encode(t.encode()).decode(), "PartitionKey": k}
                    for k, t in records[i:i + 100]]
            while todo:
                reply = self.call("PutRecords", StreamName=stream, Records=todo)
                todo = [r for r, done in zip(todo, reply["Records"]) if done.get("ErrorCode")]

    def shards(self, stream):
        return self.call("ListShards", StreamName=stream)["Shards"]


class Stage:
    """A temporary folder and the processes of one test."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.folder = tempfile.mkdtemp(prefix="pollard-")
        self.processes = []
        self.connections = []

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for connection in self.connections:
            connection.close()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        if kind:
            for name in sorted(os.listdir(self.folder)):
                if name.endswith(".log"):
                    with open(os.path.join(self.folder, name), errors="replace") as log:
                        tail = log.readlines()[-25:]
                    print(f"--- {name}", *tail, sep="\n", file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def aws(self, service, port):
        client = Aws(service, port)
        self.connections.append(client)
        return client

    def start(self, name, command, env=None, cwd=None):
        log = open(self.path(name + ".log"), "ab")
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   env={**os.environ, **(env or {})}, cwd=cwd)
        log.close()
        self.processes.append(process)
        return process

    def start_server(self, name, command, port, env=None, cwd=None, seconds=180):
        process = self.start(name, command, env, cwd)

        def listens():
            assert process.poll() is None, f"{name} ended with {process.returncode}"
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens, seconds, f"{name} listens on {port}")
        return process

    def start_local(self, *arguments):
        """The embedded server. Returns (process, port)."""
        port = free_port()
        process = self.start_server("local", [self.build + "/pollard", "local", "--port", str(port), *arguments], port)
        return process, port

    def start_pollard(self, config, name="pollard", command=(), env=None):
        env = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
               **(env or {})}
        return self.start(name, [*command, self.build + "/pollard", "run", "-c", config, "--log-format", "json"], env)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def handler(self, name="ledger"):
        return f"{self.build}/tests/handlers/{name}.so"

    def log_events(self, name, event):
        found = []
        with open(self.path(name + ".log"), errors="replace") as f:
            for line in f:
                if f'"{event}"' in line:
                    found.append(json.loads(line))
        return found


class Ledger:
    """The file of the test handler, read as it grows."""

    def __init__(self, path):
        self.path, self.offset, self.rows = path, 0, []

    def read(self):
        """All rows so far: (trigger, shard, id, key, data)."""
        if os.path.exists(self.path):
            with open(self.path, "rb") as f:
                f.seek(self.offset)
                data = f.read()
            whole = data.rfind(b"\n") + 1
            self.offset += whole
            self.rows += [tuple(line.split("\t")) for line in data[:whole].decode().splitlines()]
        return self.rows

    def data(self, trigger):
        return [row[4] for row in self.read() if row[0] == trigger]


def stop(process, seconds=40):
    """SIGTERM and wait. Returns the exit status."""
    process.send_signal(signal.SIGTERM)
    return process.wait(seconds)

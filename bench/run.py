#!/usr/bin/env python3
"""Medians of several runs, in one run side by side, on `pollard local`.

The server has core 0 for itself, what is measured has core 1.

usage: run.py BUILD [ROW...]     rows: sqs kinesis fanout lanes latency memory start dispatch parse filter core
"""
import base64
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "support"))
from stage import Aws, Stage, free_port, stop, wait_until  # noqa: E402

BUILD = os.path.abspath(sys.argv[1])
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
SERVER, WORKER = (["taskset", "-c", "0"], ["taskset", "-c", "1"]) if os.cpu_count() > 1 else ([], [])
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1"}


def median(values):
    return statistics.median(values)


def row(figure, measured, target=""):
    print(f"| {figure} | {measured} | {target} |", flush=True)


def handler(name):
    return f"{BUILD}/bench/handlers/{name}.so"


def cpu_seconds(pid):
    """User and system time, from the scheduler's own account (ns) where the
    kernel has one."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def start_server(stage):
    port = free_port()
    stage.start_server("local", [*SERVER, BUILD + "/pollard", "local", "--port", str(port)], port)
    return port


def stats(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_pollard/stats", timeout=10) as reply:
        return json.load(reply)


def fill(port, url, count, size=1024):
    sqs = Aws("sqs", port)
    body = "x" * size
    entries = [{"Id": str(n), "MessageBody": body} for n in range(10)]
    for _ in range(count // 10):
        sqs.call("SendMessageBatch", QueueUrl=url, Entries=entries)


def queue_config(stage, port, name="null", extra=""):
    return stage.write("pollard.yaml", f"""
version: 1
aws: {{endpoint_url: "http://127.0.0.1:{port}"}}
log: {{level: warn}}
triggers:
  bench:
    source: {{sqs: {{queue: bench}}}}
    handler: {{library: {handler(name)}, isolation: thread}}
{extra}
""")


def start_worker(stage, config, env=None):
    return stage.start("pollard", [*WORKER, BUILD + "/pollard", "run", "-c", config], {**CREDENTIALS, **(env or {})})


def drain_with_pollard(count):
    """(messages/s, messages per CPU second)"""
    with Stage(BUILD) as stage:
        port = start_server(stage)
        sqs = Aws("sqs", port)
        url = sqs.create_queue("bench", VisibilityTimeout=600)
        fill(port, url, count)
        worker = start_worker(stage, queue_config(stage, port))
        first = None
        while True:
            left = sum(sqs.counts(url))
            now = time.monotonic()
            if first is None and left < count:
                first = (now, left)
            if left == 0:
                break
            time.sleep(0.01)
        wall, cpu = now - first[0], cpu_seconds(worker.pid)
        stop(worker)
        return first[1] / wall, count / cpu


def drain_bare(count, connections):
    with Stage(BUILD) as stage:
        port = start_server(stage)
        url = Aws("sqs", port).create_queue("bench", VisibilityTimeout=600)
        fill(port, url, count)
        out = subprocess.run([*WORKER, BUILD + "/bench/bench_bare", "sqs", f"http://127.0.0.1:{port}/", url,
                              str(count), str(connections)], check=True, capture_output=True, text=True).stdout.split()
        return count / float(out[0]), count / float(out[1])


def drain_peer(count):
    with Stage(BUILD) as stage:
        port = start_server(stage)
        url = Aws("sqs", port).create_queue("bench", VisibilityTimeout=600)
        fill(port, url, count)
        out = subprocess.run([*WORKER, "node", "sqs_consumer.mjs", f"http://127.0.0.1:{port}", url, str(count), "8"],
                             check=True, capture_output=True, text=True, cwd="build/bench/peers",
                             env={**os.environ, "NODE_NO_WARNINGS": "1"}).stdout.split()
        return count / float(out[0]), count / float(out[1])


def bench_sqs():
    count = 50000
    ours, bare1, bare8, peer = [], [], [], []
    for _ in range(RUNS):
        ours.append(drain_with_pollard(count))
        bare1.append(drain_bare(count, 1))
        bare8.append(drain_bare(count, 8))
        peer.append(drain_peer(10000))
    rate = median([o[0] for o in ours])
    per_cpu = median([o[1] for o in ours])
    for name, figures in (("bare libcurl, 1 connection", bare1), ("bare libcurl, 8 connections", bare8)):
        other = median([f[0] for f in figures])
        row(f"SQS drain, 1 KiB: messages/s against {name}", f"{rate:,.0f} / {other:,.0f} = {rate / other:.2f}", ">= 0.8")
    other = median([p[1] for p in peer])
    row("the same against sqs-consumer, eight loops: messages a CPU second",
        f"{per_cpu:,.0f} / {other:,.0f} = {per_cpu / other:.1f}", ">= 10")
    row("messages a CPU second of the worker", f"{per_cpu:,.0f}", ">= 55,000")
    row("(bare libcurl, 8 connections: messages a CPU second)", f"{median([b[1] for b in bare8]):,.0f}", "")


def fill_stream(port, megabytes):
    kinesis = Aws("kinesis", port)
    kinesis.create_stream("bench", 1)
    data = base64.b64encode(b"x" * 1024).decode()
    records = [{"Data": data, "PartitionKey": f"key-{i}"} for i in range(500)]
    for _ in range(megabytes * 2):
        kinesis.call("PutRecords", StreamName="bench", Records=records)
    return kinesis.shards("bench")[0]["ShardId"], megabytes * 1000


def shard_with_pollard(megabytes):
    with Stage(BUILD) as stage:
        port = start_server(stage)
        _, count = fill_stream(port, megabytes)
        config = stage.write("pollard.yaml", f"""
version: 1
aws: {{endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: {stage.folder}/state.db}}}}
log: {{level: warn}}
triggers:
  bench:
    source: {{kinesis: {{stream: bench}}}}
    starting_position: TRIM_HORIZON
    batch_size: 1000
    handler: {{library: {handler("span")}, isolation: thread}}
""")
        spans = stage.path("spans")
        worker = start_worker(stage, config, {"SPAN_FILE": spans, "SPAN_COUNT": str(count), "SPAN_SKIP": "10000"})
        wait_until(lambda: os.path.exists(spans) and open(spans).read().endswith("\n"), 60, "the shard is read")
        wall, records = open(spans).read().split()
        cpu = cpu_seconds(worker.pid)
        stop(worker)
        return int(records) * 1024 / float(wall) / 1e6, cpu


def shard_bare(megabytes):
    with Stage(BUILD) as stage:
        port = start_server(stage)
        shard, count = fill_stream(port, megabytes)
        out = subprocess.run([*WORKER, BUILD + "/bench/bench_bare", "kinesis", f"http://127.0.0.1:{port}/", "bench",
                              shard, str(count * 1024)], check=True, capture_output=True, text=True).stdout.split()
        return float(out[2]) / float(out[0]) / 1e6, float(out[1])


def bench_kinesis():
    ours, bare = [], []
    for _ in range(RUNS):
        ours.append(shard_with_pollard(100))
        bare.append(shard_bare(100))
    a, b = median([o[0] for o in ours]), median([o[0] for o in bare])
    row("Kinesis drain, 1 KiB records: MB/s against a bare libcurl loop on GetRecords", f"{a:,.0f} / {b:,.0f} = {a / b:.2f}", ">= 0.8")
    row("(CPU seconds for these 100 MB)", f"{median([o[1] for o in ours]):.2f} / {median([o[1] for o in bare]):.2f}", "")


def start_blaster(stage, shards, megabytes, size=1024, records=100):
    """Of enhanced fan-out. (port, bytes of a whole subscription)"""
    log = stage.path("blaster.log")
    stage.start("blaster", [*SERVER, BUILD + "/bench/bench_fanout_server", str(shards), str(megabytes), str(size),
                            str(records)])
    wait_until(lambda: open(log).read().endswith("\n"), 60, "the frames are made")
    return [int(n) for n in open(log).read().split()]


def shard_config(stage, url, source, extra="", aws=""):
    return stage.write("pollard.yaml", f"""
version: 1
aws: {{endpoint_url: "{url}"{aws}}}
store: {{sqlite: {{path: {stage.folder}/state.db}}}}
log: {{level: error}}
triggers:
  bench:
    source: {{kinesis: {source}}}
    starting_position: TRIM_HORIZON
    handler: {{library: {handler("span")}, isolation: thread}}
{extra}
""")


PUSHED = "{stream: bench, consumer: bench}"


def span_of(stage, config, count, **env):
    """(records/s, CPU seconds) of a worker that handles so many records."""
    spans = stage.path("spans")
    worker = start_worker(stage, config, {"SPAN_FILE": spans, "SPAN_COUNT": str(count), **env})
    wait_until(lambda: os.path.exists(spans) and open(spans).read().endswith("\n"), 120, "every record is handled")
    wall, records = open(spans).read().split()
    cpu = cpu_seconds(worker.pid)
    stop(worker)
    return int(records) / float(wall), cpu


def pushed_with_pollard(megabytes):
    with Stage(BUILD) as stage:
        port, _ = start_blaster(stage, 1, megabytes)
        config = shard_config(stage, f"http://127.0.0.1:{port}", PUSHED, "    batch_size: 1000")
        rate, cpu = span_of(stage, config, megabytes * 1000000 // 1024, SPAN_SKIP="10000")
        return rate * 1024 / 1e6, cpu


def pushed_bare(megabytes, sums):
    with Stage(BUILD) as stage:
        port, size = start_blaster(stage, 1, megabytes)
        out = subprocess.run([*WORKER, BUILD + "/bench/bench_bare", "fanout", f"http://127.0.0.1:{port}/",
                              "shardId-000000000000", sums, str(size)], check=True, capture_output=True,
                             text=True).stdout.split()
        return float(out[2]) / size * megabytes / float(out[0]), float(out[1])


def front_with_http2(stage, port):
    """nghttpx speaks HTTP/2 over TLS. (its port, the certificate)"""
    key, certificate, front = stage.path("key.pem"), stage.path("certificate.pem"), free_port()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                   capture_output=True)
    stage.start_server("nghttpx", [*SERVER, "nghttpx", "--conf=/dev/null", "--no-ocsp", f"-f127.0.0.1,{front}",
                                   f"-b127.0.0.1,{port}", "--backend-read-timeout=1h", key, certificate], front)
    return front, certificate


def resident_of_subscriptions(count, size, records, http2):
    """Memory while all subscriptions are pushed more than their handlers take."""
    with Stage(BUILD) as stage:
        port, _ = start_blaster(stage, count, 40, size, records)
        url, aws = f"http://127.0.0.1:{port}", ""
        if http2:
            port, certificate = front_with_http2(stage, port)
            url, aws = f"https://127.0.0.1:{port}", f", ca_bundle: {certificate}"
        config = shard_config(stage, url, PUSHED, aws=aws)
        worker = start_worker(stage, config, {"SPAN_FILE": stage.path("spans"), "SPAN_COUNT": "1000000000",
                                              "SPAN_SLEEP_US": "100000"})
        found = []
        for _ in range(50):
            time.sleep(0.1)
            found.append(resident_kib(worker.pid))
        return max(found)


def bench_fanout():
    ours, bare, sums = [], [], []
    for _ in range(RUNS):
        ours.append(pushed_with_pollard(200))
        bare.append(pushed_bare(200, "skip"))
        sums.append(pushed_bare(200, "sum"))
    rate, cpu = median([o[0] for o in ours]), median([o[1] for o in ours])
    for name, figures in (("a bare libcurl loop that drops the bytes", bare), ("one that counts the checksums", sums)):
        other = median([f[0] for f in figures])
        row(f"enhanced fan-out, events of 100 records of 1 KiB: MB/s against {name}",
            f"{rate:,.0f} / {other:,.0f} = {rate / other:.2f}", "")
    row("(CPU seconds for these 200 MB; a shard pushes 2 MB/s at the most in AWS)",
        f"{cpu:.2f} / {median([f[1] for f in bare]):.2f} / {median([f[1] for f in sums]):.2f}", "")
    for http2 in (False, True):
        one = medians([resident_of_subscriptions(1, 1024, 100, http2) for _ in range(min(RUNS, 3))])
        many = medians([resident_of_subscriptions(20, 1024, 100, http2) for _ in range(min(RUNS, 3))])
        row(f"memory, 20 subscriptions pushed faster than handled, HTTP/{'2' if http2 else '1.1'}",
            f"{mib(many)}, {(many[0] - one[0]) / 19 / 1024:.2f} MiB each", "< 2 MiB each")


def lanes_with_pollard(factor, megabytes):
    with Stage(BUILD) as stage:
        port = start_server(stage)
        _, count = fill_stream(port, megabytes)
        config = shard_config(stage, f"http://127.0.0.1:{port}", "{stream: bench}",
                              f"    batch_size: 10\n    parallelization_factor: {factor}")
        return span_of(stage, config, count, SPAN_SKIP="1000", SPAN_SLEEP_US="1000")[0]


def bench_lanes():
    one, ten = [], []
    for _ in range(RUNS):
        one.append(lanes_with_pollard(1, 20))
        ten.append(lanes_with_pollard(10, 20))
    a, b = median(one), median(ten)
    row("one shard, 500 keys, 1 ms for each batch of 10: records/s with parallelization_factor 10 against 1",
        f"{b:,.0f} / {a:,.0f} = {b / a:.1f}", "")


def bench_latency():
    p50, p99 = [], []
    for _ in range(RUNS):
        with Stage(BUILD) as stage:
            port = start_server(stage)
            sqs = Aws("sqs", port)
            url = sqs.create_queue("bench", VisibilityTimeout=600)
            path = stage.path("latency")
            worker = start_worker(stage, queue_config(stage, port, "latency"), {"LATENCY_FILE": path})
            count = 300
            for i in range(count + 20):
                time.sleep(0.01)
                sqs.call("SendMessage", QueueUrl=url, MessageBody=str(time.clock_gettime_ns(time.CLOCK_MONOTONIC)))
            wait_until(lambda: len(open(path).readlines()) >= count + 20, 10, "every message was handled")
            found = sorted(int(line) for line in open(path).readlines()[20:])
            p50.append(found[len(found) // 2] / 1000)
            p99.append(found[len(found) * 99 // 100] / 1000)
            stop(worker)
    row("send to handler start, idle queue: p50 / p99 ms", f"{median(p50):.2f} / {median(p99):.2f}", "p99 < 5")


def resident_kib(pid):
    """(resident, of which anonymous)"""
    with open(f"/proc/{pid}/status") as f:
        kib = {line.split(":")[0]: int(line.split()[1]) for line in f if line.startswith(("VmRSS", "RssAnon"))}
    return kib["VmRSS"], kib["RssAnon"]


def mib(resident):
    return f"{resident[0] / 1024:.1f} MiB ({resident[1] / 1024:.1f} anonymous)"


def medians(pairs):
    return tuple(median(values) for values in zip(*pairs))


def idle_resident(queues):
    with Stage(BUILD) as stage:
        port = start_server(stage)
        sqs = Aws("sqs", port)
        triggers = []
        for i in range(queues):
            sqs.create_queue(f"q{i}")
            triggers.append(f"  t{i}: {{source: {{sqs: {{queue: q{i}}}}}, handler: null}}\n")
        config = stage.write("pollard.yaml", f"""
version: 1
aws: {{endpoint_url: "http://127.0.0.1:{port}"}}
log: {{level: warn}}
handlers:
  "null": {{library: {handler("null")}, isolation: thread}}
triggers:
""" + "".join(triggers).replace("handler: null", 'handler: "null"'))
        worker = start_worker(stage, config)
        wait_until(lambda: sum(q["waiting"] for q in stats(port)["queues"].values()) >= queues, 60, f"{queues} receives are parked")
        time.sleep(0.5)
        return resident_kib(worker.pid)


def until_first_call(start):
    """Start a process that calls a server of ours. (ms until the call came,
    its memory while it waits for an answer)"""
    with Stage(BUILD) as stage, socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(60)
        prepared = start(stage, server.getsockname()[1])
        begun = time.monotonic()
        process = prepared()
        connection, _ = server.accept()
        connection.recv(1)
        ms = (time.monotonic() - begun) * 1000
        time.sleep(0.2)
        resident = resident_kib(process.pid)
        process.send_signal(signal.SIGKILL)
        connection.close()
        return ms, resident


def prepare_floor(stage, port):
    return lambda: stage.start("floor", [*WORKER, BUILD + "/bench/bench_floor", f"http://127.0.0.1:{port}/"])


def prepare_worker(stage, port):
    config = queue_config(stage, port)
    return lambda: start_worker(stage, config)


def bench_memory():
    floor = medians([until_first_call(prepare_floor)[1] for _ in range(RUNS)])
    base = None
    for queues in (1, 10, 100, 1000):
        resident = medians([idle_resident(queues) for _ in range(min(RUNS, 3))])
        base = base or resident
        each = f", {(resident[0] - base[0]) / (queues - 1):.1f} KiB a queue" if queues > 1 else ""
        row(f"memory, {queues} idle queue{'s' if queues > 1 else ''}", mib(resident) + each,
            "< 8 MiB" if queues == 1 else "< 64 KiB a queue")
    row("(a program that only sends one request with libcurl)", mib(floor), "")


def bench_start():
    found, floor = [], []
    for _ in range(RUNS):
        found.append(until_first_call(prepare_worker)[0])
        floor.append(until_first_call(prepare_floor)[0])
    row("start to first call sent", f"{median(found):.1f} ms", "< 50 ms")
    row("(a program that only sends one request with libcurl)", f"{median(floor):.1f} ms", "")


def bench_dispatch():
    out = subprocess.run([*WORKER, BUILD + "/bench/bench_dispatch"], check=True, capture_output=True, text=True).stdout
    row("added cost of a dispatch, thread isolation", out.strip().replace("\n", "; "), "< 20 us a batch")


def bench_parse():
    out = subprocess.run([*WORKER, BUILD + "/bench/bench_parse"], check=True, capture_output=True, text=True).stdout
    for line in out.splitlines()[1:]:
        content, figures = line.split(":", 1)
        row(f"a received message, {content.strip()}", figures.strip(), "us, in place against document trees")


def lines_of(program):
    """Each line that a benchmark prints: (what it is about, its figures)."""
    out = subprocess.run([*WORKER, f"{BUILD}/bench/{program}"], check=True, capture_output=True, text=True).stdout
    return [line.split(": ", 1) for line in out.splitlines()]


def bench_filter():
    for mix, figures in lines_of("bench_filter"):
        ours, parse, size, wanted = (float(figure) for figure in figures.split())
        row(f"filter, {size:.0f}-byte records, {mix} ({wanted:.0f} % wanted): records/s against json_loadb",
            f"{ours:,.0f} / {parse:,.0f} = {ours / parse:.1f}", ">= 1,000,000, >= 1")


def bench_core():
    for what, figures in lines_of("bench_core"):
        row(f"the pipeline by itself, {what}", figures, "")


ROWS = {"sqs": bench_sqs, "kinesis": bench_kinesis, "fanout": bench_fanout, "lanes": bench_lanes,
        "latency": bench_latency, "memory": bench_memory,
        "start": bench_start, "dispatch": bench_dispatch, "parse": bench_parse,
        "filter": bench_filter, "core": bench_core}


def main():
    wanted = sys.argv[2:] or list(ROWS)
    print(f"medians of {RUNS} runs, {os.cpu_count()} cores: server on core 0, the measured process on core 1\n")
    print("| figure | measured | to reach |\n|---|---|---|")
    for name in wanted:
        ROWS[name]()


main()

"""How each server is started: on a free port of its own, which is returned, and
for one story alone. servers.sh installed them.
"""
import glob
import os

from stage import free_port

INSTALLED = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "build", "interop"))


def elasticmq(stage):
    port = free_port()
    config = stage.write("elasticmq.conf", f"""
include classpath("application.conf")
node-address {{ protocol = http, host = localhost, port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
""")
    stage.start_server("elasticmq", [
        "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dconfig.file={config}",
        "-cp", f"{INSTALLED}/elasticmq/*", "org.elasticmq.server.Main"], port)
    return port


def moto(stage):
    port = free_port()
    stage.start_server("moto", [f"{INSTALLED}/venv/bin/moto_server", "-H", "127.0.0.1", "-p", str(port)], port)
    return port


def kinesis_mock(stage):
    port, tls = free_port(), free_port()
    folder = os.path.dirname(glob.glob(f"{INSTALLED}/npm/node_modules/kinesis-local/main.js")[0])
    stage.start_server("kinesis-mock", ["node", "main.js"], port, cwd=folder, env={
        "KINESIS_MOCK_PLAIN_PORT": str(port), "KINESIS_MOCK_TLS_PORT": str(tls), "LOG_LEVEL": "ERROR",
        "SHARD_LIMIT": "100"})
    return port


def ministack(stage):
    port = free_port()
    stage.start_server("ministack", [f"{INSTALLED}/ministack/bin/ministack"], port, env={
        "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "LOG_LEVEL": "WARNING", "TMPDIR": stage.folder})
    return port


def local(stage):
    return stage.start_local()[1]

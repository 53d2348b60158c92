"""How each server is started: on a free port of its own, which is returned, and
for one story alone. servers.sh installed them.
"""
import json
import os
import subprocess

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


def moto(stage, port=None):
    port = port or free_port()
    stage.start_server("moto", [f"{INSTALLED}/moto/bin/moto_server", "-H", "127.0.0.1", "-p", str(port)], port)
    return port


def kinesis_mock_tls(stage):
    """(port for TLS, plain port), with the certificate in certificate.pem."""
    key, certificate = stage.path("key.pem"), stage.path("certificate.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True,
                   capture_output=True)
    with open(key) as one, open(certificate) as other:
        pair = {"server": {"key": one.read(), "cert": other.read()}}
    return start_kinesis_mock(stage, {"KINESIS_MOCK_CERT_PATH": stage.write("pair.json", json.dumps(pair))})


def kinesis_mock(stage):
    return start_kinesis_mock(stage, {})[1]


def start_kinesis_mock(stage, env):
    port, tls = free_port(), free_port()
    folder = f"{INSTALLED}/kinesis_mock/node_modules/kinesis-local"
    stage.start_server("kinesis-mock", ["node", "main.js"], port, cwd=folder, env={
        "KINESIS_MOCK_PLAIN_PORT": str(port), "KINESIS_MOCK_TLS_PORT": str(tls), "LOG_LEVEL": "ERROR",
        "SHARD_LIMIT": "100", **env})
    return tls, port


def ministack(stage):
    port = free_port()
    stage.start_server("ministack", [f"{INSTALLED}/ministack/bin/ministack"], port, env={
        "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "LOG_LEVEL": "WARNING", "TMPDIR": stage.folder})
    return port


def local(stage):
    return stage.start_local()[1]

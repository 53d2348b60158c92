"""A server that stands in front of the embedded one and misbehaves when told:
it forwards every request, unless `answer` is set, which may answer instead.
"""
import http.client
import http.server
import json
import ssl
import threading


class Call:
    """One request: what was asked, and the ways to answer it."""

    def __init__(self, handler, body):
        self.handler, self.body = handler, body
        self.operation = handler.headers.get("X-Amz-Target", ".").split(".")[-1]

    def arguments(self):
        return json.loads(self.body or b"{}")

    def reply(self, status, body, kind="application/x-amz-json-1.0"):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", kind)
        self.handler.send_header("Content-Length", str(len(body)))
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def error(self, status, code, message):
        self.reply(status, {"__type": code, "message": message})

    def raw(self, *pieces):
        """These bytes, each sent at once, then the end of the connection."""
        for piece in pieces:
            self.handler.wfile.write(piece)
            self.handler.wfile.flush()
        self.handler.close_connection = True

    def forward(self):
        """What the server answers: (status, type, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.handler.server.upstream, timeout=60)
        connection.request("POST", self.handler.path, self.body, dict(self.handler.headers))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, answer.headers.get("Content-Type", ""), body


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        call = Call(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
        answer = self.server.proxy.answer
        try:
            if answer and answer(call) is not False:
                self.server.proxy.answered += 1
                return
            status, kind, body = call.forward()
            call.reply(status, body, kind)
        except OSError:  # either side went away
            self.close_connection = True

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, address):
        pass


class Proxy:
    """`answer(call)` answers itself, or returns False to let the call pass."""

    def __init__(self, upstream, certificate=None):
        self.answer, self.answered = None, 0
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.proxy, self.server.upstream = self, upstream
        self.port = self.server.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

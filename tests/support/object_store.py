"""Buckets on loopback that keep what is put into them: PutObject, path style."""
import http.server
import threading


class ObjectStore:
    def __init__(self):
        self.objects = {}  # bucket: [(key, text), ...] in the order they came
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def within(self, bucket):
        return list(self.objects.get(bucket, []))

    def handler(self):
        store = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_PUT(self):
                _, bucket, key = self.path.split("/", 2)
                assert "/s3/aws4_request" in self.headers["Authorization"]
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                store.objects.setdefault(bucket, []).append((key, body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler

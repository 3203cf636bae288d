"""A Prometheus for Flagger, in the harness' process: every query has the answer of a healthy service."""
import http.server
import json
import threading
import time
import urllib.parse


def answer(query):
    """The value: 1 to the question whether it is there, 0.1 s for a duration, else 100 per cent success."""
    if "vector(1)" in query:
        return "1"
    return "0.1" if "histogram_quantile" in query else "100"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("query", [""])[0]
        result = {"metric": {}, "value": [time.time(), answer(query)]}
        body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [result]}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Prometheus:
    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

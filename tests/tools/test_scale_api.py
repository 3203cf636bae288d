"""bench/scale's client of the API server: lists, watches, connections that have gone."""
import http.client
import http.server
import json
import threading

import pytest
from scale import api, processes


def test_the_objects_of_a_list_know_their_kind():
    assert api.items_of({"kind": "DeploymentList", "items": [{"metadata": {}}, {"kind": "Other"}]}) == [
        {"kind": "Deployment", "metadata": {}}, {"kind": "Other"}]


class WatchServer(http.server.BaseHTTPRequestHandler):
    """Lists one object at version 5, refuses the first watch as too old, and ends each later one after a change of it."""
    refused = False

    def do_GET(self):
        watched = "watch=1" in self.path
        refuse = watched and not WatchServer.refused
        WatchServer.refused |= refuse
        self.send_response(410 if refuse else 200)
        self.end_headers()
        one = {"metadata": {"name": "a", "resourceVersion": "6" if watched else "5"}}
        if watched:
            self.wfile.write(json.dumps({"type": "MODIFIED", "object": one}).encode() + b"\n")
        else:
            self.wfile.write(json.dumps({"kind": "ThingList", "metadata": {"resourceVersion": "5"}, "items": [one]}).encode())

    def log_message(self, *_):
        pass


def watched(on_object, until):
    """A Watch of such a server, when `until` of it holds."""
    WatchServer.refused = False
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), WatchServer)
    server.handle_error = lambda *_: None   # the watch goes away in the middle of an answer
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = api.Api.__new__(api.Api)
    client.token, client.local = "", threading.local()
    client.connect = lambda timeout=10: http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=timeout)
    watch = api.Watch(client, "/things", on_object)
    try:
        processes.wait_until(lambda: until(watch), "the watch", 30, pause=0.01)
    finally:
        watch.close()
        server.shutdown()
        server.server_close()
    return watch


def test_a_watch_that_is_too_old_begins_with_a_list_again():
    seen = []
    watched(lambda found, _: seen.append(found), lambda _: len(seen) >= 3)
    assert [found["metadata"]["resourceVersion"] for found in seen[:3]] == ["5", "5", "6"] and seen[0]["kind"] == "Thing"


def test_a_watch_whose_reader_fails_says_so_instead_of_falling_silent():
    def on_object(found, _):
        if found["metadata"]["resourceVersion"] == "6":
            raise KeyError("kind")
    with pytest.raises(processes.CannotRun, match="the watch of /things ended: KeyError"):
        watched(on_object, lambda watch: watch.failure).check()


class OneAnswerServer(http.server.BaseHTTPRequestHandler):
    """Closes each connection after one answer without saying so, as a server does with an idle one."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        self.close_connection = True

    def log_message(self, *_):
        pass


def test_a_request_that_meets_a_closed_connection_is_sent_again():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OneAnswerServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = api.Api.__new__(api.Api)
    client.token, client.local = "", threading.local()
    client.connect = lambda: http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        assert [client.get("/a"), client.get("/b")] == [{}, {}]
    finally:
        server.shutdown()
        server.server_close()

"""A small client of the API server: one connection a thread, and a watch that calls back."""
import http.client
import json
import queue
import socket
import ssl
import threading
import time

from .processes import CannotRun, say

MERGE_PATCH = "application/merge-patch+json"
SENDERS = 8   # threads; enough that the controller and not the client is what a phase waits for


class Refused(Exception):
    """The API server's answer was no success."""

    def __init__(self, method, path, status, body):
        super().__init__(f"{method} {path}: {status} {body[:500].decode(errors='replace')}")
        self.status = status


def items_of(listed):
    """The objects of a list. Each says its kind, which the API server leaves to the list for most kinds."""
    kind = listed["kind"].removesuffix("List")
    return [{"kind": kind, **item} for item in listed["items"]]


class Api:
    def __init__(self, port, token, authority_file):
        self.port, self.token = port, token
        self.tls = ssl.create_default_context(cafile=authority_file)
        self.local = threading.local()

    def connect(self, timeout=60):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=timeout)

    def headers(self, content_type="application/json"):
        return {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}

    def call(self, method, path, body=None, content_type="application/json"):
        """The answer, decoded when it is JSON. Refused for a status of 300 and above."""
        data = None if body is None else json.dumps(body)
        status, answer = self._exchange(method, path, data, content_type)
        if status >= 300:
            raise Refused(method, path, status, answer)
        return json.loads(answer) if answer[:1] in (b"{", b"[") else answer.decode()

    def _exchange(self, method, path, data, content_type):
        """A server closes a connection that was idle for long; what meets such an end was not read, and is sent again."""
        used_before = getattr(self.local, "connection", None) is not None
        try:
            return self._send(method, path, data, content_type)
        except (http.client.RemoteDisconnected, ConnectionError):
            if not used_before:
                raise
        return self._send(method, path, data, content_type)

    def _send(self, method, path, data, content_type):
        if getattr(self.local, "connection", None) is None:
            self.local.connection = self.connect()
        try:
            self.local.connection.request(method, path, data, self.headers(content_type))
            response = self.local.connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self.local.connection = None   # whatever is on the wire is not ours any more
            raise

    def get(self, path):
        return self.call("GET", path)

    def list(self, path):
        return items_of(self.get(path))

    def create(self, path, body):
        return self.call("POST", path, body)

    def patch(self, path, body):
        return self.call("PATCH", path, body, MERGE_PATCH)

    def create_all(self, collection_of, documents):
        """Creates YAML documents; `collection_of(document)` names their path."""
        for document in documents:
            if document:
                self.create(collection_of(document), document)

    def send_all(self, jobs):
        """Runs {key: function without arguments} on a few threads; {key: (begun, ended)} by the wall clock. The first
        failure is raised when all have ended."""
        waiting, times, failures = queue.SimpleQueue(), {}, []
        for job in jobs.items():
            waiting.put(job)

        def work():
            while True:
                try:
                    key, job = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    begun = time.time()
                    job()
                    times[key] = (begun, time.time())
                except Exception as error:
                    failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return times


class Watch(threading.Thread):
    """Calls on_object(object, when) for every object that is there and every one that changes, from a thread of its
    own. A watch that ends is begun again where it was; what on_object raises ends it for good, and check() tells."""

    def __init__(self, api, path, on_object):
        super().__init__(daemon=True)
        self.api, self.path, self.on_object = api, path, on_object
        self.stopped, self.connection, self.failure = False, None, None
        self._list()
        self.start()

    def check(self):
        """CannotRun when nothing is watched any more."""
        if self.failure:
            raise CannotRun(f"the watch of {self.path} ended: {self.failure!r}")

    def _list(self):
        listed = self.api.get(self.path)
        self.version = listed["metadata"]["resourceVersion"]
        for item in items_of(listed):
            self.on_object(item, time.time())

    def run(self):
        while not self.stopped and not self.failure:
            try:
                self._follow()
            except (OSError, http.client.HTTPException, json.JSONDecodeError, Refused) as error:
                if not self.stopped:
                    say(f"watch of {self.path} begins again: {error!r}")
                    time.sleep(0.2)
            except Exception as error:
                self.failure = error

    def _follow(self):
        self.connection = self.api.connect(timeout=3600)
        query = f"watch=1&allowWatchBookmarks=true&resourceVersion={self.version}"
        self.connection.request("GET", f"{self.path}?{query}", headers=self.api.headers())
        response = self.connection.getresponse()
        if response.status != 200:   # most likely 410: the version is too old
            return self._list()
        for line in iter(response.readline, b""):
            when, event = time.time(), json.loads(line)
            if event["type"] == "ERROR":
                return self._list()
            self.version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] in ("ADDED", "MODIFIED"):
                self.on_object(event["object"], when)

    def close(self):
        self.stopped = True
        if self.connection and self.connection.sock:
            self.connection.sock.shutdown(socket.SHUT_RDWR)

"""What one user asked of the API server, read from its audit log: the requests by verb and resource, and how long after
an object was stored the first write because of it arrived.

The policy (cluster.py) logs one event a finished request, without bodies: of the controller under test everything, of
the harness its writes.
"""
import collections
import dataclasses
import datetime
import json
import math

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
NO_REACTION = frozenset({"events", "leases"})   # written for people and for the election, not because of an object


@dataclasses.dataclass(frozen=True)
class Request:
    user: str
    verb: str
    resource: str      # "deployments", "modeldeployments/status"; of a request without one, its path
    name: str          # of the object; empty for a list
    received: float    # seconds of the epoch
    answered: float
    code: int

    @property
    def is_write(self):
        return self.verb in WRITES

    @property
    def is_event(self):
        return self.resource == "events"


def parse(line):
    """One line of the log as a Request."""
    event = json.loads(line)
    reference = event.get("objectRef", {})
    resource = reference.get("resource") or event["requestURI"].split("?")[0]
    if reference.get("subresource"):
        resource += f"/{reference['subresource']}"
    return Request(event["user"]["username"], event["verb"], resource, reference.get("name", ""),
                   seconds(event["requestReceivedTimestamp"]), seconds(event["stageTimestamp"]),
                   event.get("responseStatus", {}).get("code", 0))


def seconds(timestamp):
    """Seconds of the epoch of an RFC 3339 time with microseconds, as the log has it."""
    return datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


class Reader:
    """Reads what has been added to the log since the last time; a line that is still being written waits."""

    def __init__(self, path):
        self.path, self.position, self.rest = path, 0, b""

    def read(self):
        with open(self.path, "rb") as log:
            log.seek(self.position)
            lines = (self.rest + log.read()).split(b"\n")
            self.position = log.tell()
        self.rest = lines.pop()
        return [parse(line) for line in lines if line]


def count(requests, objects):
    """The numbers of a phase, of one user's requests, for so many objects. Events are writes for people and are counted
    apart; watches count once each."""
    writes = [request for request in requests if request.is_write and not request.is_event]
    by_kind = collections.Counter(f"{request.verb} {request.resource}" for request in requests)
    statuses = sum(1 for request in writes if request.resource.endswith("/status"))
    return {
        "requests": len(requests),
        "reads": sum(1 for request in requests if not request.is_write),
        "writes": len(writes),
        "events": sum(1 for request in requests if request.is_event),
        "writesAnObject": round(len(writes) / objects, 2),
        "statusWritesAnObject": round(statuses / objects, 2),
        "failed": sum(1 for request in requests if request.code >= 400),
        "byKind": dict(by_kind.most_common()),
    }


def reactions(requests, causes, controller, key_of_name):
    """Seconds from each object's last cause in `causes` ({key: (begun, ended)} of the harness' own calls) to the first
    write of the controller for it: from when the API server had answered the cause (it was stored then) to when it
    received the write. {key: seconds}; a key without a write after it is left out. The log has both moments from the
    same clock; a controller can be told before the answer is on its way, so a small negative value is none: 0."""
    stored, first = {}, {}
    for request in sorted(requests, key=lambda request: request.received):
        key = key_of_name(request.name)
        if key not in causes or not request.is_write or request.code >= 300:
            continue
        if request.user != controller:
            stored[key] = request.answered
            first.pop(key, None)
        elif key in stored and key not in first and request.resource.split("/")[0] not in NO_REACTION:
            first[key] = request.received
    return {key: max(0.0, when - stored[key]) for key, when in first.items()}


def percentile(values, share):
    """Nearest rank; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None

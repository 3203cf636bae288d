"""What happened in a rollout, put together from two witnesses: the object's status and the users' own counts.

Pure: it is told what was seen and when (seconds since the epoch); it asks nobody. The screen, the report and the picture
are made from it.
"""
import dataclasses
import datetime
import threading


def seconds_of(timestamp):
    """2026-11-21T08:00:00.123Z as seconds since the epoch; the fraction may be absent."""
    return datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


def timestamp_of(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="milliseconds").replace(
        "+00:00", "Z")


@dataclasses.dataclass
class WeightChange:
    """`weights` by version, in per cent. Written in status at `written`, seen confirmed by every proxy at `verified`."""
    weights: dict
    written: float
    verified: float | None = None


@dataclasses.dataclass
class Phase:
    """A stretch of the story. `begin` and `end` are the users' totals at its ends, so that phases add up exactly."""
    name: str
    start: float
    begin: dict
    end: dict | None = None
    finish: float | None = None


def revisions(status):
    """Version by revision, from every place in the status that names both."""
    entries = [status.get("stable"), status.get("canary"), *status.get("draining", []), *status.get("history", []),
               *status.get("quarantined", [])]
    return {entry["revision"]: entry["version"] for entry in entries if entry}


def condition(status, kind):
    return next((c for c in status.get("conditions", []) if c["type"] == kind), {"status": "Unknown", "message": ""})


def weights_confirmed(status):
    """Whether every proxy has confirmed the weights that this status asks for."""
    canary = status.get("canary") or {}
    if canary.get("weight", 0) != canary.get("verifiedWeight", 0):
        return False
    if any("verifiedAt" not in entry for entry in status.get("draining", [])):
        return False
    return condition(status, "TrafficVerified")["status"] == "True"


class Timeline:
    """Thread-safe: the watch and the users' poller write, the story and the screen read."""

    def __init__(self):
        self.changed = threading.Condition(threading.RLock())
        self.status = {}
        self.generation = 0
        self.weights = []     # WeightChange
        self.checks = {}      # the last analysis by canary version
        self.seconds = []     # the users' lines, one a second
        self.failures = []    # the users' lines, one a failed request
        self.totals = {}      # the users' totals
        self.phases = []
        self.marks = []       # (time, text)

    # -- what was seen

    def saw_object(self, now, found):
        with self.changed:
            self.status = status = found.get("status", {})
            self.generation = found["metadata"]["generation"]
            names = revisions(status)
            weights = {names.get(share["revision"], share["revision"]): share["weight"]
                       for share in status.get("traffic", []) if share["weight"] > 0}
            if weights and (not self.weights or self.weights[-1].weights != weights):
                self.weights.append(WeightChange(weights, now))
            if self.weights and self.weights[-1].verified is None and weights_confirmed(status):
                self.weights[-1].verified = now
            if status.get("canary") and status.get("analysis"):
                self.checks[status["canary"]["version"]] = status["analysis"]
            self.changed.notify_all()

    def saw_users(self, totals, seconds, failures):
        with self.changed:
            self.totals = totals
            self.seconds += seconds
            self.failures += failures
            self.changed.notify_all()

    def mark(self, now, text):
        with self.changed:
            self.marks.append((now, text))

    def begin_phase(self, now, name, totals):
        with self.changed:
            self.end_phase(now, totals)
            self.phases.append(Phase(name, now, totals))

    def end_phase(self, now, totals):
        with self.changed:
            if self.phases and self.phases[-1].end is None:
                self.phases[-1].end, self.phases[-1].finish = totals, now

    # -- what it means

    def users_of(self, version):
        return self.totals.get("versions", {}).get(version, {"ok": 0, "failed": 0})

    def excusable(self, failure, broken):
        """The broken version's own answer: it says so itself, and the model's graph, not the server, refused."""
        return failure.get("version") == broken and failure.get("error_source") == "model"

    def first_failure(self, version):
        ends = [seconds_of(f["ended"]) for f in self.failures if f.get("version") == version]
        return min(ends, default=None)

    def taken_back(self, version):
        """The weight change after which `version` had no share any more, or None."""
        changes = [after for before, after in zip(self.weights, self.weights[1:])
                   if version in before.weights and version not in after.weights]
        return changes[-1] if changes else None

    def rollback_times(self, version):
        """Seconds from the version's first failed answer to each stage of taking it back; None for what did not happen."""
        first, change = self.first_failure(version), self.taken_back(version)
        last_due = self.users_of(version).get("last_due")
        if first is None or change is None:
            return {"firstFailure": first and timestamp_of(first), "toDecision": None, "toEveryProxy": None,
                    "toLastRequest": None}
        return {"firstFailure": timestamp_of(first),
                "toDecision": round(change.written - first, 3),
                "toEveryProxy": change.verified and round(change.verified - first, 3),
                "toLastRequest": last_due and round(seconds_of(last_due) - first, 3)}

    def phase_counts(self):
        """For each finished phase: seconds, sent, ok, failed, and ok and failed by version."""
        rows = []
        for phase in self.phases:
            if phase.end is None:
                continue
            versions = {}
            for version, counts in phase.end.get("versions", {}).items():
                before = phase.begin.get("versions", {}).get(version, {})
                delta = {key: counts[key] - before.get(key, 0) for key in ("ok", "failed")}
                if any(delta.values()):
                    versions[version] = delta
            rows.append({"phase": phase.name, "seconds": round(phase.finish - phase.start, 1), "versions": versions} |
                        {key: phase.end.get(key, 0) - phase.begin.get(key, 0) for key in ("sent", "ok", "failed")})
        return rows

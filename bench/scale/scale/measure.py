"""One controller's run: a fresh cluster, the controller as a process, and the phases create, update, idle and react.

A phase's numbers are differences between its begin and its end. It ends when every object is at rest and the controller
has used at most 2 % of a core for 3 s, so that the tail of its work is in them; times are to the last object ready. A
phase that did not end in the state that was asked for has no numbers: it is a CannotRun.
"""
import os
import time

from . import audit
from .api import Watch
from .cluster import CONTROLLER, Cluster
from .processes import CannotRun, bytes_exchanged, cpu_seconds, reset_peak, resident_mib, say, wait_until
from .progress import Progress

STATE_SECONDS = 30        # the most that the cluster's own controllers may need for the state after a phase
QUIET_SHARE = 0.02        # of a core
QUIET_SECONDS = 3
REACT_SAMPLES = 20
REACT_PAUSE = 1.0         # s between two samples: the first writes of one are over when the next begins
REACT_SECONDS = 30        # the most that is waited for the last reactions
IDLE_PAUSE = 5            # s from the end of the updates to the begin of idling


class Snapshot:
    """What has been counted of the controller, and of the cluster's own processes, up to now."""

    def __init__(self, run):
        self.when = time.time()
        self.controller = cpu_seconds(run.pid)
        self.others = {name: cpu_seconds(child.pid) for name, child in run.cluster.processes.children.items()
                       if name != CONTROLLER} | {"bench": time.process_time()}
        self.bytes = bytes_exchanged(run.pid, run.cluster.port)
        self.counters = run.peer.counters()


class Run:
    def __init__(self, cluster, peer, options, result):
        self.cluster, self.peer, self.options, self.result = cluster, peer, options, result
        self.names = [f"m{number:05d}" for number in range(options.objects)]
        self.progress = Progress(peer)
        self.audit = cluster.new_audit_reader()
        self.revision, self.causes, self.requests = 1, {}, []

    def all_phases(self):
        self._start_controller()
        self._measure("create", self._create, self._demand_state)
        for number in range(1, self.options.updates + 1):
            self._measure(f"update {number}" if self.options.updates > 1 else "update", self._update, self._demand_state)
        if self.options.idle_seconds:
            time.sleep(IDLE_PAUSE)
            self._measure("idle", self._idle, self._demand_state)
        if self.options.react:
            self._measure("react", self._react)
        self.result["memory"] = memory_growth(self.result["phases"], self.options.objects)

    def _start_controller(self):
        self.peer.prepare()
        self.pid = self.cluster.processes.start(CONTROLLER, self.peer.command(), self.peer.environment())
        wait_until(self._is_up, f"{self.peer.title} works", 90)
        self.peer.started()
        self.watches = [Watch(self.cluster.api, path, self.progress.saw)
                        for path in (self.peer.collection, *self.peer.also_watched)]
        self._settle(10)
        self.result["empty"] = {"rssMiB": resident_mib(self.pid)[0], "cpuSeconds": cpu_seconds(self.pid)}
        say(f"{self.peer.title} is up with {self.result['empty']['rssMiB']} MiB")

    def _is_up(self):
        self.cluster.processes.check_alive()
        return self.peer.is_up()

    def _measure(self, phase, act, demand=lambda: None):
        """Runs a phase and writes its numbers down, if `demand` finds what it asks for after it."""
        say(f"{self.peer.title}, {phase}: begins")
        self.audit.read()
        reset_peak(self.pid)
        self.causes, self.requests = {}, []
        before = Snapshot(self)
        try:
            numbers = (act(before) or {}) | self._numbers_since(before)
            demand()
        except CannotRun as error:
            raise CannotRun(f"{phase}: {error}") from error
        self.result["phases"][phase] = numbers
        say(f"{self.peer.title}, {phase}: {summary(numbers)}")

    def _numbers_since(self, before):
        after = Snapshot(self)
        now, peak = resident_mib(self.pid)
        self._read_audit()
        own = [request for request in self.requests if request.user == CONTROLLER]
        numbers = {
            "seconds": round(after.when - before.when, 2),
            "cpuSeconds": round(after.controller - before.controller, 2),
            "rssPeakMiB": peak, "rssAfterMiB": now,
            "bytesSent": after.bytes[0] - before.bytes[0], "bytesReceived": after.bytes[1] - before.bytes[1],
            "api": audit.count(own, self.options.objects),
            "counters": {name: after.counters[name] - before.counters.get(name, 0) for name in after.counters},
            "othersCpuSeconds": {name: round(after.others[name] - before.others.get(name, 0), 2) for name in after.others},
        }
        if self.causes:
            numbers["reactionMs"] = reaction_summary(self._reactions(), len(self.causes))
        return numbers

    def _read_audit(self):
        self.requests += self.audit.read()

    def _reactions(self):
        return audit.reactions(self.requests, self.causes, CONTROLLER, self.peer.key_of_name)

    def _demand_state(self):
        """CannotRun when the cluster does not come into the state that was asked for, whatever the objects say."""
        deadline = time.monotonic() + STATE_SECONDS
        while faults := self.peer.faults(self.names, self.revision):
            if time.monotonic() > deadline:
                raise CannotRun(f"not in the state that was asked for: {faults}")
            time.sleep(1)

    def _demand_steps(self):
        missed = self.progress.without_steps(self.names, self.peer.steps)
        if missed:
            seen = self.progress.weights.get(missed[0])
            raise CannotRun(f"{len(missed)} objects were not seen with the weights {self.peer.steps}: {missed[0]} had {seen}")

    def _create(self, before):
        def job(name):
            return lambda: [self.cluster.api.create(path, body) for path, body in self.peer.objects(name)]
        self.progress.begin(self.peer.is_created, self.peer.is_created)
        return self._send_and_wait({name: job(name) for name in self.names}, before)

    def _update(self, before):
        numbers = self._send_and_wait(self._next_revision(self.names), before)
        self._demand_steps()
        return numbers

    def _next_revision(self, names):
        """Jobs that ask for another revision of these."""
        def job(name, revision):
            return lambda: self.cluster.api.patch(*self.peer.update(name, revision))
        self.revision += 1
        revision = self.revision
        self.peer.update_begins()
        self.progress.begin(lambda found: self.peer.is_updated(found, revision),
                            lambda found: self.peer.is_at_rest(found, revision))
        return {name: job(name, revision) for name in names}

    def _send_and_wait(self, jobs, before):
        self.causes = self.cluster.api.send_all(jobs)
        sent = time.time()
        self.progress.wait(jobs, self.options.phase_seconds, self._check_alive)
        each = [self.progress.ready_at[name] - self.causes[name][0] for name in jobs]
        settled = self.peer.polls or self._settle(self.peer.quiet_within)
        return {"sentSeconds": round(sent - before.when, 2),
                "allReadySeconds": round(max(self.progress.ready_at.values()) - before.when, 2),
                "objectP50Seconds": round(audit.percentile(each, 0.5), 2),
                "objectP99Seconds": round(audit.percentile(each, 0.99), 2), "fellQuiet": settled}

    def _check_alive(self):
        self.cluster.processes.check_alive()
        for watch in self.watches:
            watch.check()

    def _settle(self, seconds):
        """Whether the controller fell quiet within so many seconds."""
        deadline, quiet, last = time.monotonic() + seconds, 0, cpu_seconds(self.pid)
        while quiet < QUIET_SECONDS and time.monotonic() < deadline:
            time.sleep(1)
            now = cpu_seconds(self.pid)
            quiet = quiet + 1 if now - last <= QUIET_SHARE else 0
            last = now
        return quiet >= QUIET_SECONDS

    def _idle(self, _):
        end = time.monotonic() + self.options.idle_seconds
        while time.monotonic() < end:
            time.sleep(min(10, max(0, end - time.monotonic())))
            self._check_alive()

    def _react(self, _):
        """Changes some objects, one at a time, among the idle ones."""
        stride = max(1, len(self.names) // REACT_SAMPLES)
        for name, job in self._next_revision(self.names[::stride][:REACT_SAMPLES]).items():
            self.causes |= self.cluster.api.send_all({name: job})
            time.sleep(REACT_PAUSE)
        # Who looks at intervals reacts to the last ones later: leaving those out would flatter it.
        deadline = time.monotonic() + REACT_SECONDS
        while len(self._reactions()) < len(self.causes) and time.monotonic() < deadline:
            time.sleep(REACT_PAUSE)
            self._read_audit()

    def close(self):
        for watch in getattr(self, "watches", []):
            watch.close()
        self.peer.close()


def reaction_summary(reactions, causes):
    """Milliseconds, and how many of the causes had a reaction that could be told."""
    ms = [1000 * seconds for seconds in reactions.values()]
    return {"samples": len(ms), "of": causes} | {
        name: round(audit.percentile(ms, share), 1) if ms else None for name, share in (("p50", 0.5), ("p99", 0.99))}


def memory_growth(phases, objects):
    """The slope of the resident memory over the rounds of updates, by least squares over what was resident after each:
    KiB a thousand updates of an object. None with fewer than two rounds."""
    after = [numbers["rssAfterMiB"] for phase, numbers in phases.items() if phase.startswith("update")]
    if len(after) < 2:
        return {"kibPerThousandUpdates": None, "rssAfterMiB": after}
    middle, mean = (len(after) - 1) / 2, sum(after) / len(after)
    slope = (sum((n - middle) * (mib - mean) for n, mib in enumerate(after))
             / sum((n - middle) ** 2 for n in range(len(after))))
    return {"kibPerThousandUpdates": round(slope * 1024 * 1000 / objects, 1), "rssAfterMiB": after}


def summary(numbers):
    """One line about a phase, for a person who waits."""
    ready = f"all ready after {numbers['allReadySeconds']} s, " if "allReadySeconds" in numbers else ""
    api = numbers["api"]
    looks = f"{numbers['counters']['reconciles']} reconciles, " if "reconciles" in numbers["counters"] else ""
    return (f"{ready}{numbers['cpuSeconds']} CPU-s, peak {numbers['rssPeakMiB']} MiB, {looks}{api['requests']} requests "
            f"({api['writes']} writes, {api['events']} events)")


def measure(peer_class, paths, folder, options, result):
    """Fills `result` phase by phase; `folder` keeps the logs. CannotRun or Refused when it cannot go on."""
    title = f"{peer_class.title} {paths.version(peer_class.pinned)}" if peer_class.pinned else peer_class.title
    result |= {"peer": peer_class.name, "title": title, "objects": options.objects, "phases": {}}
    with Cluster(paths, folder, options.nodes) as cluster:
        run = Run(cluster, peer_class(cluster, paths, options), options, result)
        try:
            run.all_phases()
        finally:
            run.close()
        result["loadAverageAtEnd"] = os.getloadavg()

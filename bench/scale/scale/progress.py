"""Which objects have got how far, as their watches tell; thread-safe."""
import threading
import time

from .processes import CannotRun, say

TELL_EVERY = 20   # s


class Progress:
    """When each object was first ready, and whether all are at rest, for the present phase. `begin` a phase before
    anything is changed."""

    def __init__(self, peer):
        self.peer, self.changed = peer, threading.Condition()
        self.is_ready = self.is_at_rest = None
        self.ready_at, self.at_rest = {}, set()

    def begin(self, is_ready, is_at_rest):
        with self.changed:
            self.is_ready, self.is_at_rest = is_ready, is_at_rest
            self.ready_at, self.at_rest = {}, set()

    def saw(self, found, when):
        """From the watches' threads."""
        with self.changed:
            if self.is_ready is None:
                return
            key = self.peer.key(found)
            if key not in self.ready_at and self.is_ready(found):
                self.ready_at[key] = when
            if key not in self.at_rest and self.is_at_rest(found):
                self.at_rest.add(key)
            self.changed.notify_all()

    def wait(self, keys, seconds, check):
        """Until all are ready and at rest; calls `check` now and then. CannotRun past `seconds`."""
        deadline, tell = time.monotonic() + seconds, time.monotonic() + TELL_EVERY
        wanted = set(keys)
        with self.changed:
            while not (wanted <= self.ready_at.keys() and wanted <= self.at_rest):
                missing = sorted(wanted - self.ready_at.keys()) or sorted(wanted - self.at_rest)
                now = time.monotonic()
                if now > deadline:
                    raise CannotRun(f"not within {seconds} s: {len(missing)} of {len(wanted)} objects, {missing[0]} among them")
                if now > tell:
                    say(f"  {len(wanted & self.ready_at.keys())} of {len(wanted)} objects are ready, "
                        f"{len(wanted & self.at_rest)} at rest")
                    tell = now + TELL_EVERY
                self.changed.wait(1)
                check()

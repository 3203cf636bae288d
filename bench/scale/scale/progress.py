"""Which objects have got how far, as their watches tell; thread-safe."""
import threading
import time

from .processes import CannotRun, say

TELL_EVERY = 20   # s


class Progress:
    """When each object was first ready, whether all are at rest, and which weights the new version had on the way, for
    the present phase. `begin` a phase before anything is changed."""

    def __init__(self, peer):
        self.peer, self.changed = peer, threading.Condition()
        self.is_ready = self.is_at_rest = None
        self._forget()

    def _forget(self):
        self.ready_at, self.at_rest, self.given_up = {}, set(), {}
        self.weights = {}   # by object, in the order in which they were seen

    def begin(self, is_ready, is_at_rest):
        with self.changed:
            self.is_ready, self.is_at_rest = is_ready, is_at_rest
            self._forget()

    def saw(self, found, when):
        """From the watches' threads."""
        with self.changed:
            if self.is_ready is None:
                return
            key = self.peer.key(found)
            self._note_weight(key, self.peer.weight(found))
            if key not in self.ready_at and self.is_ready(found):
                self.ready_at[key] = when
            if key not in self.at_rest and self.is_at_rest(found):
                self.at_rest.add(key)
            if self.peer.has_given_up(found):
                self.given_up[key] = True
            self.changed.notify_all()

    def _note_weight(self, key, weight):
        seen = self.weights.setdefault(key, [])
        if weight is not None and seen[-1:] != [weight]:
            seen.append(weight)

    def without_steps(self, keys, steps):
        """Those of the objects whose new version was not seen with all of these weights, in this order."""
        with self.changed:
            return sorted(key for key in keys if not is_in_order(steps, self.weights.get(key, [])))

    def wait(self, keys, seconds, check):
        """Until all are ready and at rest; calls `check` now and then. CannotRun past `seconds`, or when the controller
        has given an object up."""
        deadline, tell = time.monotonic() + seconds, time.monotonic() + TELL_EVERY
        wanted = set(keys)
        with self.changed:
            while not (wanted <= self.ready_at.keys() and wanted <= self.at_rest):
                missing = sorted(wanted - self.ready_at.keys()) or sorted(wanted - self.at_rest)
                now = time.monotonic()
                if self.given_up:
                    raise CannotRun(f"{len(self.given_up)} objects were given up, {min(self.given_up)} among them")
                if now > deadline:
                    raise CannotRun(f"not within {seconds:g} s: {len(missing)} of {len(wanted)} objects, {missing[0]} among them")
                if now > tell:
                    say(f"  {len(wanted & self.ready_at.keys())} of {len(wanted)} objects are ready, "
                        f"{len(wanted & self.at_rest)} at rest")
                    tell = now + TELL_EVERY
                self.changed.wait(1)
                check()


def is_in_order(steps, seen):
    """Whether `seen` has all of `steps` in their order, whatever is between them."""
    rest = iter(seen)
    return all(step in rest for step in steps)

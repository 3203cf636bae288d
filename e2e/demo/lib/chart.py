"""Draws a rollout as SVG: who got the requests, how long they took, which failed, and what was decided when.

Pure: timeline in, text out. It has no background, and its grey and its three colours can be read on white and on black.
"""
import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 960, 64, 20
PLOT = WIDTH - LEFT - RIGHT
COLOURS = {"1": "#3b82f6", "2": "#10a37f", "3": "#ef4444"}
STYLE = """
  text { font: 12px -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #6b7280 }
  .title { font-size: 13px; font-weight: 600 } .mark { font-weight: 600 } .small { font-size: 11px }
  .grid { stroke: #8b949e; stroke-opacity: .25 } .axis { stroke: #8b949e; stroke-opacity: .7 }
  .event { stroke: #8b949e; stroke-dasharray: 3 3 }
"""


def colour(version):
    return COLOURS.get(version, "#a855f7")


def text(x, y, words, anchor="start", kind="", fill=""):
    attributes = (f' class="{kind}"' if kind else "") + (f' style="fill:{fill}"' if fill else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attributes}>{escape(words)}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def round_up(value):
    """The next of 1, 2, 3, 4, 5, 6, 8, 10, 20, 30 … at or above the value."""
    step = 1
    while True:
        for factor in (1, 2, 3, 4, 5, 6, 8):
            if factor * step >= value:
                return factor * step
        step *= 10


class Chart:
    def __init__(self, timeline):
        self.timeline = timeline
        self.start = timeline.seconds[0]["second"]
        self.end = timeline.seconds[-1]["second"] + 1
        self.parts = []

    def x(self, time):
        return LEFT + PLOT * (min(max(time, self.start), self.end) - self.start) / (self.end - self.start)

    # -- panels

    def frame(self, top, height, title, ticks):
        """`ticks`: (share of the height from below, words)."""
        self.parts.append(text(LEFT, top - 9, title, kind="title"))
        for share, words in ticks:
            y = top + height * (1 - share)
            self.parts += [line(LEFT, y, WIDTH - RIGHT, y, "grid"), text(LEFT - 8, y + 4, words, "end", "small")]
        self.parts.append(line(LEFT, top + height, WIDTH - RIGHT, top + height, "axis"))

    def weights(self, top, height):
        """Stacked areas of the weights as written, and a dot a second for the share that the users really got."""
        self.frame(top, height, "Share of requests: areas as asked for, dots as the users got it",
                   [(share / 100, f"{share} %") for share in (0, 25, 50, 75, 100)])
        changes = self.timeline.weights
        spans = [(c.written, n.written, c.weights) for c, n in zip(changes, changes[1:])]
        spans += [(changes[-1].written, self.end, changes[-1].weights)] if changes else []
        spans = [(self.start if n == 0 else begin, end, weights) for n, (begin, end, weights) in enumerate(spans)]
        for begin, end, weights in spans:
            base = 0
            for version, weight in sorted(weights.items()):
                y, tall = top + height * (1 - (base + weight) / 100), height * weight / 100
                self.parts.append(f'<rect x="{self.x(begin):.1f}" y="{y:.1f}" width="{self.x(end) - self.x(begin):.1f}" '
                                  f'height="{tall:.1f}" fill="{colour(version)}" fill-opacity=".35"/>')
                base += weight
        for second in self.timeline.seconds:
            self.share_dots(second, top, height)

    def share_dots(self, second, top, height):
        """A dot at the top of each share but the last, whose top is 100 %."""
        counts = {v: c["ok"] + c["failed"] for v, c in sorted(second["versions"].items()) if v}
        base, total = 0, sum(counts.values())
        for version, count in list(counts.items())[:-1]:
            base += count
            self.parts.append(f'<circle cx="{self.x(second["second"] + .5):.1f}" cy="{top + height * (1 - base / total):.1f}" '
                              f'r="1.6" fill="{colour(version)}"/>')

    def latency(self, top, height):
        """Logarithmic from 1 ms: a version that is ten times as slow, and a moment of a busy machine, both fit in."""
        peak = max((c["p95_ms"] for s in self.timeline.seconds for c in s["versions"].values()), default=1)
        decades = max(2, math.ceil(math.log10(max(peak, 1))))
        self.frame(top, height, "95th percentile of latency, each second, by version",
                   [(n / decades, f"{10 ** n:,} ms") for n in range(decades + 1)])
        for version in sorted({v for s in self.timeline.seconds for v in s["versions"] if v}):
            for run in self.runs(version):
                points = " ".join(f"{self.x(t + .5):.1f},{top + height * (1 - math.log10(max(p, 1)) / decades):.1f}"
                                  for t, p in run)
                self.parts.append(f'<polyline points="{points}" fill="none" stroke="{colour(version)}" stroke-width="1.8" '
                                  'stroke-linejoin="round" stroke-linecap="round"/>')

    def runs(self, version):
        """The version's (second, p95) in stretches without a gap."""
        runs, last = [], None
        for second in self.timeline.seconds:
            counts = second["versions"].get(version)
            if counts:
                if last is None or second["second"] - last > 2:
                    runs.append([])
                runs[-1].append((second["second"], counts["p95_ms"]))
                last = second["second"]
        return runs

    def failures(self, top, height):
        peak = max((c["failed"] for s in self.timeline.seconds for c in s["versions"].values()), default=0)
        highest = round_up(max(peak, 1))
        self.frame(top, height, "Failed requests, each second, by the version that answered", [(0, "0"), (1, f"{highest}")])
        wide = max(PLOT / (self.end - self.start) - .6, .8)
        for second in self.timeline.seconds:
            for version, counts in sorted(second["versions"].items()):
                if counts["failed"]:
                    tall = height * counts["failed"] / highest
                    self.parts.append(f'<rect x="{self.x(second["second"]):.1f}" y="{top + height - tall:.1f}" '
                                      f'width="{wide:.1f}" height="{tall:.1f}" fill="{colour(version)}"/>')

    # -- around them

    def place_marks(self):
        """(x, row, leftwards, words) of each mark: its words stand beside its line in the first row with room for them."""
        placed, taken = [], []
        for time, words in self.timeline.marks:
            x, length = self.x(time), 7.2 * len(words) + 14
            choices = [(row, left) for row in range(len(taken) + 1) for left in (False, True)]
            row, left = next((row, left) for row, left in choices if self.has_room(taken, row, x, length, left))
            taken += [[]] if row == len(taken) else []
            taken[row].append((x - length, x) if left else (x, x + length))
            placed.append((x, row, left, words))
        return placed, len(taken)

    @staticmethod
    def has_room(taken, row, x, length, left):
        begin, end = (x - length, x) if left else (x, x + length)
        free = row == len(taken) or all(end < other[0] or begin > other[1] for other in taken[row])
        return free and begin >= 0 and end <= WIDTH

    def marks(self, top, placed, panels):
        """A dashed line through each panel for each mark, and its words above."""
        for x, row, left, words in placed:
            y = top + 16 * row
            self.parts += [text(x + (-5 if left else 5), y, words, "end" if left else "start", "mark"),
                           line(x, y - 10, x, y + 5, "event")]
            self.parts += [line(x, begin, x, end, "event") for begin, end in panels]

    def time_axis(self, y):
        span = self.end - self.start
        step = next(s for s in (5, 10, 15, 20, 30, 60, 120, 300, 600, 3600) if span / s <= 12)
        for offset in range(0, int(span) + 1, step):
            x = self.x(self.start + offset)
            self.parts += [line(x, y, x, y + 4, "axis"), text(x, y + 17, f"{offset // 60}:{offset % 60:02d}", "middle", "small")]

    def legend(self, y):
        x = LEFT
        for version in sorted(v for v in self.timeline.totals.get("versions", {}) if v):
            counts = self.timeline.users_of(version)
            words = f"version {version}: {counts['ok'] + counts['failed']:,} answers, {counts['failed']:,} failed"
            self.parts += [f'<rect x="{x}" y="{y - 10}" width="12" height="12" rx="2" fill="{colour(version)}"/>',
                           text(x + 18, y, words)]
            x += 18 + 6.6 * len(words) + 24

    def draw(self):
        placed, rows = self.place_marks()
        top = 104 + 16 * rows
        panels = [(top, top + 150), (top + 190, top + 290), (top + 330, top + 386)]
        for draw_panel, (begin, end) in zip((self.weights, self.latency, self.failures), panels):
            draw_panel(begin, end - begin)
        self.marks(76, placed, panels)
        self.time_axis(top + 386)
        self.legend(top + 426)
        height = top + 440
        head = text(LEFT, 24, "A rollout as its users saw it", kind="title") + text(
            LEFT, 42, f"{self.timeline.totals.get('sent', 0):,} requests in {clock_words(self.end - self.start)}, "
            "each sent once and counted", kind="small")
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
                f'role="img" aria-label="Traffic weights, latency and failures during a rollout">\n<style>{STYLE}</style>\n'
                f"{head}\n" + "\n".join(self.parts) + "\n</svg>\n")


def clock_words(seconds):
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def draw(timeline):
    return Chart(timeline).draw()

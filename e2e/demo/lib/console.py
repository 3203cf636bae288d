"""What the demo prints: numbered steps with elapsed and remaining time, the YAML that is applied, and a live panel.

On a terminal the panel is redrawn in place; elsewhere a plain line is written whenever something in it changes.
"""
import os
import re
import shutil
import sys
import time

# Seconds that each step takes when nothing is cached, and when everything is. Two cores.
EXPECTED = {
    "machine": (1, 1), "tools": (1000, 1), "build": (900, 5), "cluster": (25, 20), "images": (120, 25), "install": (30, 20),
    "models": (40, 2), "users": (4, 4), "version 1": (15, 15), "version 2": (45, 45), "version 3": (20, 20), "record": (5, 5),
}
PALETTE = {"1": "34", "2": "32", "3": "31"}   # version 1 blue, 2 green, 3 red, as in the picture


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def share_bar(weights, width=40):
    """40 characters shared out by weight, such as 111111122."""
    bar = []
    for version, weight in sorted(weights.items()):
        bar += [version] * round(width * weight / 100)
    return (bar + bar[-1:] * width)[:width]


class Console:
    def __init__(self, begin, cold, steps=tuple(EXPECTED), number=0, out=sys.stdout):
        """`cold`: names of steps that find nothing cached; `number`: of the steps that were shown before."""
        self.begin, self.out, self.number, self.count = begin, out, number, len(steps)
        self.left = [(name, EXPECTED[name][0 if name in cold else 1]) for name in steps]
        self.tty = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colour = self.tty and "NO_COLOR" not in os.environ
        self.panel_height = 0
        self.last_plain = ("", 0.0)
        self.last_progress = time.time()

    # -- steps

    def expected_total(self):
        return sum(seconds for _, seconds in self.left)

    def step(self, name, title):
        self.end_panel()
        while self.left and self.left[0][0] != name:
            self.left.pop(0)
        remaining = self.expected_total()
        self.left = self.left[1:]
        self.number += 1
        head = f"{self.number:2d}/{self.count}  {title}"
        self.write(f"\n{self.bold(head)}   [{clock(time.time() - self.begin)} elapsed, about {clock(remaining)} left]")

    def line(self, text):
        self.end_panel()
        self.write("       " + text)

    def sentence(self, text):
        self.end_panel()
        self.write("  " + self.bold("==> " + text))

    def yaml(self, text):
        self.end_panel()
        self.write("\n".join("     | " + line for line in text.rstrip().splitlines()))

    # -- the panel

    def panel(self, lines, key):
        """Shows `lines`; without a terminal, writes them as one line when `key` has changed, or after ten seconds."""
        if self.tty:
            width = shutil.get_terminal_size().columns - 1
            up = f"\033[{self.panel_height}A" if self.panel_height else ""
            self.out.write(up + "".join("\033[2K" + self.cut(line, width) + "\n" for line in lines) + "\033[J")
            self.out.flush()
            self.panel_height = len(lines)
            return
        now = time.time()
        if key != self.last_plain[0] or now - self.last_plain[1] > 10:
            self.last_plain = (key, now)
            self.write(f"       {clock(now - self.begin)}  " + "; ".join(self.plain(line).strip() for line in lines if line.strip()))

    def end_panel(self):
        self.panel_height = 0

    def progress(self, words):
        """The last line of a long command's output: on a terminal replaced by the next, elsewhere twice a minute."""
        if self.tty:
            width = shutil.get_terminal_size().columns - 10
            self.out.write("\r\033[2K       " + self.plain(words)[:width])
            self.out.flush()
        elif time.time() - self.last_progress > 30:
            self.last_progress = time.time()
            self.write(f"       {clock(time.time() - self.begin)}  {self.plain(words)}")

    def clear_progress(self):
        if self.tty:
            self.out.write("\r\033[2K")
            self.out.flush()

    # -- text

    def bold(self, text):
        return f"\033[1m{text}\033[0m" if self.colour else text

    def version(self, version, text):
        return f"\033[{PALETTE.get(version, '35')}m{text}\033[0m" if self.colour else text

    def bar(self, weights):
        if not self.colour:
            return "".join(share_bar(weights))
        return "".join(self.version(version, "█") for version in share_bar(weights))

    @staticmethod
    def plain(text):
        return re.sub(r"\033\[[0-9;]*m", "", text)

    def cut(self, text, width):
        """Cuts a coloured line to the terminal's width, so that it never takes two rows."""
        if len(self.plain(text)) <= width:
            return text
        shown, out = 0, []
        for part in re.split(r"(\033\[[0-9;]*m)", text):
            if part.startswith("\033["):
                out.append(part)
                continue
            out.append(part[:width - 1 - shown])
            shown += len(out[-1])
        return "".join(out) + "…\033[0m"

    def write(self, text):
        self.out.write(text + "\n")
        self.out.flush()

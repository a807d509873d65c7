"""Tells on standard error how far it is: on a terminal in place, elsewhere a line now and then."""

import sys
import time
from typing import TextIO

TERMINAL_EVERY_S = 0.2
ELSEWHERE_EVERY_S = 10.0


class Progress:
    """Usage: `progress.begin("media")`, `progress.at(done)` again and again, `progress.end()`.

    It is called from threads, one at a time.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stderr if out is None else out
        self._is_terminal = self._out.isatty()
        self._every_s = TERMINAL_EVERY_S if self._is_terminal else ELSEWHERE_EVERY_S
        self._what = ""
        self._total = self._done = 0
        self._told_s = 0.0

    def begin(self, what: str, total: int = 0) -> None:
        """`total`: bytes; 0 if nobody knows."""
        self.end()
        self._what, self._total, self._done = what, total, 0
        self._told_s = time.monotonic()
        if self._is_terminal:
            self._tell("\r")

    def at(self, done: int) -> None:
        self._done = done
        if time.monotonic() - self._told_s >= self._every_s:
            self._told_s = time.monotonic()
            self._tell("\r" if self._is_terminal else "\n")

    def more(self, size: int) -> None:
        self.at(self._done + size)

    def end(self) -> None:
        """The last line of what was begun."""
        if self._what:
            if self._done or not self._total:
                self._tell("\n")
            self._what = ""

    def _tell(self, end: str) -> None:
        line = self._what
        if self._done or self._total:
            of = f" of {size_in_words(self._total)}" if self._total else ""
            line += f": {size_in_words(self._done)}{of}"
        self._out.write(f"\r{line}\033[K{end}" if self._is_terminal else f"{line}{end}")
        self._out.flush()


def size_in_words(size: int) -> str:
    if size < 1_000_000:
        return f"{size / 1000:.1f} kB"
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.2f} GB"

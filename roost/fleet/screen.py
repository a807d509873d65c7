"""Progress for people: one line that is overwritten on a terminal, occasional lines elsewhere."""

import shutil
from typing import TextIO

import trio

EVERY_S = 5.0  # if lines stay
OVER_EVERY_S = 0.1  # on a terminal


class Screen:
    """Usage: `with Screen(sys.stdout) as screen`; at the end, a temporary line is finished."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._over = out.isatty()
        self._passing = False  # the last line will be overwritten
        self._shown_s = float("-inf")

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        if self._passing:
            self._out.write("\n")
            self._out.flush()
            self._passing = False

    @property
    def every_s(self) -> float:
        """How often it is worth showing progress."""
        return 1.0 if self._over else EVERY_S

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self._write(f"{line}\n")
        self._passing = False

    def show(self, line: str) -> None:
        """Print a line that the next one replaces; too frequent ones are left out."""
        now_s = trio.current_time()
        if now_s - self._shown_s < (OVER_EVERY_S if self._over else EVERY_S):
            return
        self._shown_s = now_s
        if self._over:
            self._write(line[: shutil.get_terminal_size().columns - 1])
            self._passing = True
        else:
            self.say(line)

    def progress(self, what: str, done: int, of: int) -> None:
        if of:
            self.show(f"{what}: {done:,} of {of:,}")

    def _write(self, text: str) -> None:
        self._out.write(f"\r\x1b[K{text}" if self._passing else text)
        self._out.flush()

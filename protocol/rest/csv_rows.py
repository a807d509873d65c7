"""Rows of CSV, each with a bound: a megabyte of commas in one row holds everybody up.

rows = BoundedRows(text)
header = next(rows)
"""

import csv
import io
from collections.abc import Iterator

from protocol.errors import Malformed

# A row of readings has two columns that count; 64 kB of commas are taken to pieces in 5 ms.
ROW_CHARACTERS_MAX = 64 * 1024


class BoundedRows:
    """What `csv.reader` reads.

    Raises:
        Malformed: a row is longer than `characters_max`.
        csv.Error: it is no CSV.
    """

    def __init__(self, text: str, characters_max: int = ROW_CHARACTERS_MAX) -> None:
        self._characters_max = characters_max
        self._lines = io.StringIO(text, newline="")
        self._taken = 0  # characters of the row that is being read
        self._rows = csv.reader(self._bounded(), strict=True)

    @property
    def line_num(self) -> int:
        return self._rows.line_num

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        self._taken = 0
        return next(self._rows)

    def _bounded(self) -> Iterator[str]:
        """A line at a time; a row may have several."""
        most = self._characters_max
        while line := self._lines.readline(most + 1):
            self._taken += len(line)
            if self._taken > most:
                raise Malformed(f"line {self.line_num + 1}: a row has at most {most} characters")
            yield line

"""A CSV reader with bounded rows, because parsing a megabyte in one row would block the event loop.

rows = BoundedRows(text)
header = next(rows)
"""

import csv
import io
from collections.abc import Iterator

from protocol.errors import Malformed
from protocol.problems.detail import Detail

# Parsing a row of 64 kB of commas takes 5 ms; a row of readings needs two columns.
ROW_CHARACTERS_MAX = 64 * 1024


class BoundedRows:
    """An iterator over rows, as of `csv.reader`.

    Raises:
        Malformed: a row is longer than `characters_max`.
        csv.Error: the text is not CSV.
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
        """The lines of the text. A row can span several, which count together."""
        most = self._characters_max
        while line := self._lines.readline(most + 1):
            self._taken += len(line)
            if self._taken > most:
                raise Malformed(Detail("line_too_long", line=self.line_num + 1, most=most))
            yield line

"""Reads CSV files as spreadsheets write them, with bounded rows: parsing a megabyte in one row
would block the event loop.

rows = BoundedRows(text_of(data))
header = rows.header()
"""

import codecs
import csv
import io
from collections.abc import Iterator

from protocol.errors import Malformed
from protocol.problems.detail import Detail

# Parsing a row of 64 kB of commas takes 5 ms; a row of readings needs two columns.
ROW_CHARACTERS_MAX = 64 * 1024
# Excel writes the list separator of its region, and UTF-16 with tabs as "Unicode text".
_SEPARATORS = ",;\t"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def text_of(data: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        Malformed: it is neither.
    """
    is_wide = data.startswith(_UTF_16)
    try:
        return data.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise Malformed(Detail("file_not_utf16" if is_wide else "file_not_utf8")) from None


class BoundedRows:
    """An iterator over rows, as of `csv.reader`. The first line tells the separator: comma,
    semicolon or tab, whichever it has most of, or `sep=` names it.

    Raises:
        Malformed: a row is longer than `characters_max`.
        csv.Error: the text is not CSV.
    """

    def __init__(self, text: str, characters_max: int = ROW_CHARACTERS_MAX) -> None:
        self._characters_max = characters_max
        self._lines = io.StringIO(text, newline="")
        self._taken = 0  # characters of the row that is being read
        first = self._lines.readline(characters_max)
        self._skipped = 0
        if first[:4].lower() == "sep=" and first[4:5].strip(' \r\n"'):
            separator = first[4]
            self._skipped = 1
        else:
            separator = max(_SEPARATORS, key=first.count)
            self._lines.seek(0)
        self._rows = csv.reader(self._bounded(), strict=True, delimiter=separator)

    @property
    def line_num(self) -> int:
        return self._skipped + self._rows.line_num

    def header(self) -> list[str]:
        """The names of the columns, in small letters."""
        return [name.strip().lower() for name in next(self, [])]

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

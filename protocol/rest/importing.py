"""Import of readings from CSV: a header with `ts` and `value`, then one row per reading."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from protocol.device.values import digest64, take_value
from protocol.errors import Malformed, Reason, Refusal
from protocol.problems.coded import CodedView
from protocol.problems.detail import Detail
from protocol.records import Feed, Reading
from protocol.rest.csv_rows import BoundedRows, text_of
from protocol.times import parse_device_time

ERRORS_MAX = 100
# Reading 500 rows takes about 10 ms; other tasks run between two portions.
PORTION = 500
# Splitting off this many fields costs as much as checking one value.
FIELDS_AS_ONE = 50
_EXPONENT = re.compile(r"\d{1,20}(?:\.\d{0,20})?[eE][+-]?\d{1,2}", re.ASCII)


class BadLine(CodedView, frozen=True, kw_only=True):
    """A refused line of the file (the header is line 1), and why."""

    line: int
    detail: str


class Imported(msgspec.Struct):
    """What was read so far. `refused` counts refused lines, `errors` has the first `ERRORS_MAX`."""

    readings: list[Reading]
    refused: int
    errors: list[BadLine]


class ImportView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows; `errors` lists the first hundred refused ones."""

    stored: int
    duplicate: int
    refused: int
    errors: list[BadLine]


def read_csv(data: bytes, feed: Feed, device_num: int, now_us: int) -> Iterator[Imported]:
    """Read the readings of a feed in portions. Thresholds apply as to devices' readings.

    Yields the same object each time, with up to `PORTION` more rows in it, so that the caller can
    let other tasks run in between.

    Raises:
        Malformed: not text, not CSV, a column is missing, or a row is too long.
    """
    rows = BoundedRows(text_of(data))
    imported = Imported([], 0, [])
    fields = 0
    try:
        places = _columns(rows.header())
        yield imported
        for row in rows:
            _take(imported, row, rows.line_num, places, feed, device_num, now_us)
            # A row has two fields that count; further ones, and empty rows, cost time, too.
            fields += max(2, len(row) // FIELDS_AS_ONE)
            if fields >= 2 * PORTION:
                fields = 0
                yield imported
    except csv.Error as error:
        raise Malformed(Detail("file_not_csv", line=rows.line_num, problem=str(error))) from None


def _take(
    imported: Imported,
    row: Sequence[str],
    line: int,
    places: tuple[int, int],
    feed: Feed,
    device_num: int,
    now_us: int,
) -> None:
    if not row:
        return
    try:
        imported.readings.append(_reading(row, places, feed, device_num, now_us))
    except Refusal as refusal:
        imported.refused += 1
        if len(imported.errors) < ERRORS_MAX:
            said = refusal.said
            why = BadLine(line=line, detail=refusal.detail, code=said.code, params=said.params)
            imported.errors.append(why)


def _columns(names: Sequence[str]) -> tuple[int, int]:
    if "ts" not in names or "value" not in names:
        raise Malformed(Detail("reading_columns"))
    return names.index("ts"), names.index("value")


def _reading(
    row: Sequence[str], places: tuple[int, int], feed: Feed, device_num: int, now_us: int
) -> Reading:
    if len(row) <= max(places):
        raise Refusal(Reason.BAD_VALUE, Detail("row_too_short"))
    ts_us = parse_device_time(_time(row[places[0]].strip()), now_us)
    value = take_value(feed.kind, row[places[1]])
    flagged = False
    if isinstance(value, float):
        low, high = feed.min_value, feed.max_value
        flagged = (low is not None and value < low) or (high is not None and value > high)
        if flagged and feed.on_violation == "reject":
            raise Refusal(Reason.OUT_OF_RANGE, Detail("value_outside", value=value))
    return Reading(feed.num, device_num, ts_us, digest64(value), value, flagged)


def _time(text: str) -> Any:
    """A Unix time that a spreadsheet wrote as 1.79E+09 is a number; any other text is as it is: a
    float has not all digits of nanoseconds."""
    return float(text) if _EXPONENT.fullmatch(text) else text

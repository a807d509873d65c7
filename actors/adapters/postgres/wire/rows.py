"""Records from rows of the database, and columns from records."""

from collections.abc import Mapping, Sequence
from typing import Any

from actors.adapters.postgres.tables import DEVICES, FEEDS
from protocol.records import Device, Feed
from protocol.times import check_times

FEED = f"{FEEDS.selected}, l.number, l.text, l.boolean"


def columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into columns, one array for each parameter of a statement."""
    return [[row[n] for row in rows] for n in range(width)]


def unnested(first: int, types: Mapping[str, str]) -> str:
    """`unnest` of parameters, numbered from `first`: arrays of these columns and types."""
    arrays = ", ".join(f"${first + n}::{kind}[]" for n, kind in enumerate(types.values()))
    return f"unnest({arrays})"


def device(row: Any) -> Device:
    """Raises `Unreadable` for a time that is beyond our calendar."""
    found = DEVICES.record(row)
    check_times(found)
    check_times(found.state)
    return found


def feed(row: Any) -> Feed:
    return FEEDS.record(row, last_value=value(row))


def value(row: Any) -> Any:
    """The one of the three typed columns that is set."""
    if row["number"] is not None:
        return row["number"]
    return row["text"] if row["text"] is not None else row["boolean"]

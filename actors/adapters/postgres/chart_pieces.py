"""A time span of a chart, cut into pieces: each comes from sums of hours, from sums of minutes, or
from readings.

    pieces_of(start_us, end_us, fresh_us, since_us, ragged)

Before `since_us` there are no sums of minutes (`rollups.expiry`), and from `fresh_us` on they may
be behind. Hours are used wherever a bucket has a whole one.
"""

from collections.abc import Iterable, Iterator, Sequence

from protocol.rest.charts import HOUR_US, MINUTE_US

READINGS, MINUTES, HOURS = 0, 1, 2

Piece = tuple[int, int, int]  # source, since, until


def pieces_of(
    start_us: int,
    end_us: int,
    fresh_us: int | None,
    since_us: int,
    ragged: Sequence[int] | None,
) -> list[Piece]:
    """Pieces in order, without gaps.

    Args:
        fresh_us: from this time on sums of minutes may be behind.
        since_us: from this whole hour on there are sums of minutes.
        ragged: hours that no bucket has as a whole, ascending; None if buckets are shorter.
    """
    until_us = end_us if fresh_us is None else min(end_us, fresh_us)
    first, last = up(start_us, MINUTE_US), until_us // MINUTE_US * MINUTE_US
    if first >= last:
        return [(READINGS, start_us, end_us)]
    found = [(READINGS, start_us, first), *_summed(first, last, ragged), (READINGS, last, end_us)]
    return list(_joined(_without_minutes(found, since_us)))


def up(us: int, unit_us: int) -> int:
    return -(-us // unit_us) * unit_us


def _summed(first: int, last: int, ragged: Sequence[int] | None) -> Iterator[Piece]:
    at, until_hour = up(first, HOUR_US), last // HOUR_US * HOUR_US
    if ragged is None or at >= until_hour:
        yield MINUTES, first, last
        return
    yield MINUTES, first, at
    for hour in ragged:
        if at <= hour < until_hour:
            yield HOURS, at, hour
            at = hour + HOUR_US
            yield MINUTES, hour, at
    yield HOURS, at, until_hour
    yield MINUTES, until_hour, last


def _without_minutes(pieces: Iterable[Piece], since_us: int) -> Iterator[Piece]:
    """Of earlier minutes, the readings."""
    for source, since, until in pieces:
        if source == MINUTES and since < since_us:
            yield READINGS, since, min(until, since_us)
            yield MINUTES, max(since, since_us), until
        else:
            yield source, since, until


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Without empty ones, and neighbours of one source as one."""
    last: Piece | None = None
    for source, since, until in pieces:
        if since >= until:
            continue
        if last is not None and last[0] == source:
            since = last[1]
        elif last is not None:
            yield last
        last = source, since, until
    if last is not None:
        yield last

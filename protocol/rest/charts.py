"""Charts: sums of readings in buckets of equal length, aligned to 1970-01-01T00:00Z.

Buckets of whole days may be civil days of a time zone, aligned to its 1970-01-01: these begin at
its midnights, so some last 23 or 25 hours.

A bool counts as 1 or 0; text feeds have no charts. Times are µs since 1970, lengths of buckets
seconds.
"""

import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from protocol.errors import Invalid
from protocol.problems.detail import Detail
from protocol.records import Reading
from protocol.schedule.civil import EPOCH_DAY, WRITABLE_US, civil_of, instant_of
from protocol.times import SECOND_US

AGGREGATES = ("avg", "min", "max", "sum", "count")
POINTS_MAX = 10_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
# How many days sums of minutes are kept, unless the setting says otherwise. The server chooses
# buckets of hours for more than some 20 days (`bucket_for`).
MINUTE_SUMS_DAYS = 35
# Lengths with round times on a chart's axis; better than exactly as many points as requested.
NICE_S = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * n for n in (1, 2, 5, 10, 15, 30)),
    *(3600 * n for n in (1, 2, 3, 6, 12)),
    *(86400 * n for n in (1, 2, 7, 14, 30, 90, 365, 3650)),
)
BUCKET_MAX_S = NICE_S[-1]

_BUCKET = re.compile(r"([1-9][0-9]{0,6})(s|m|h|d)", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


# A sum of the largest float64 values overflows. So huge values are added up separately, scaled by
# 2**-64: nothing overflows below 2**63 values, and ordinary sums keep their precision.
HUGE_FROM = 1e280
SCALE = 2.0**-64
SCALED_MAX = sys.float_info.max * SCALE


class Bucket(msgspec.Struct, frozen=True, gc=False):
    """The readings from `ts_us` on for the length of a bucket; at least one.

    `sum` is None if it is beyond float64; `avg` is correct all the same.
    """

    ts_us: int
    count: int
    sum: float | None
    avg: float
    min: float
    max: float


def bucket_of_one(ts_us: int, value: float) -> Bucket:
    """A bucket with one reading."""
    return Bucket(ts_us, 1, value, value, value, value)


def unit_of(bucket_s: int) -> int:
    """The longest sums (µs) that buckets can be made of: an hour or a minute; 0: the readings.

    Where a bucket begins within an hour, shorter ones are needed (`ragged_hours`).
    """
    if bucket_s % 60:
        return 0
    return HOUR_US if bucket_s >= 3600 else MINUTE_US


def ragged_hours(
    start_us: int, end_us: int, bucket_s: int, starts: Sequence[int] = ()
) -> list[int]:
    """The hours (their begins, µs) within which a bucket begins, ascending.

    Half an hour past each second one for buckets of 90 minutes; the midnights of India.
    """
    bucket_us = bucket_s * SECOND_US
    if not starts and bucket_us % HOUR_US:
        starts = range(start_us - start_us % bucket_us, end_us, bucket_us)
    return sorted({us - us % HOUR_US for us in starts if us % HOUR_US})


def merged(ts_us: int, parts: Iterable[Bucket]) -> Bucket:
    """One bucket that begins at `ts_us`, with the readings of all parts; at least one part."""
    count, ordinary, huge, is_huge = 0, 0.0, 0.0, False
    low, high = float("inf"), float("-inf")
    for part in parts:
        count += part.count
        low, high = min(low, part.min), max(high, part.max)
        if part.sum is not None and abs(part.sum) < HUGE_FROM:
            ordinary += part.sum
            continue
        is_huge = True
        scaled = part.avg * SCALE * part.count if part.sum is None else part.sum * SCALE
        huge += scaled
    if not is_huge:
        return Bucket(ts_us, count, ordinary, min(high, max(low, ordinary / count)), low, high)
    total = huge + ordinary * SCALE
    whole = total / SCALE if abs(total) <= SCALED_MAX else None
    return Bucket(ts_us, count, whole, min(high, max(low, total / count / SCALE)), low, high)


def bucket_of(text: str) -> int:
    """The seconds of `90s`, `15m`, `1h` or `7d`. Raises `Invalid`."""
    found = _BUCKET.fullmatch(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= BUCKET_MAX_S:
        raise Invalid({"bucket": Detail("not_bucket")})
    return seconds


def bucket_for(start_us: int, end_us: int, points: int) -> int:
    """The shortest bucket (seconds) of `NICE_S`, or in whole days, that needs at most `points`."""
    for seconds in NICE_S:
        if points_of(start_us, end_us, seconds) <= points:
            return seconds
    # A few points over centuries need longer buckets than any of these.
    days = (end_us - start_us) // (points * DAY_US) + 1
    while points_of(start_us, end_us, days * 86400) > points:
        days *= 2
    return days * 86400


def points_of(start_us: int, end_us: int, bucket_s: int) -> int:
    """How many buckets the period from `start_us` to `end_us` (exclusive) touches."""
    bucket_us = bucket_s * SECOND_US
    return (end_us - 1) // bucket_us - start_us // bucket_us + 1 if end_us > start_us else 0


def civil_starts(start_us: int, end_us: int, bucket_s: int, zone: ZoneInfo) -> list[int]:
    """Where the buckets of whole days that the period touches begin (µs), in a time zone.

    They are whole minutes, which the sums of a chart are made of. Every zone's midnights are, since
    1972.
    """
    low_us, high_us = WRITABLE_US
    first, last = (
        civil_of(min(max(us, low_us), high_us), zone).day - EPOCH_DAY
        for us in (start_us, end_us - 1)
    )
    days = bucket_s // 86400
    places = range(first - first % days, last + 1, days)
    # No day is before year 1. A day that a zone skipped begins with the next one.
    begins = (instant_of(max(1, EPOCH_DAY + place), 0, 0, zone) for place in places)
    return list(dict.fromkeys(us - us % MINUTE_US for us in begins))


def aggregates_of(text: str) -> tuple[str, ...]:
    """The names in a text such as `avg,max`, each once, in order. Raises `Invalid`."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not set(names) <= set(AGGREGATES):
        raise Invalid({"agg": Detail("not_aggregates", words=", ".join(AGGREGATES))})
    return names


def minutes_of(readings: Iterable[Reading]) -> list[tuple[int, int]]:
    """(feed number, minute since 1970) of the readings, each once, ascending."""
    return sorted({(r.feed_num, r.ts_us // MINUTE_US) for r in readings})


def summed(values: Iterable[tuple[int, float]], bucket_s: int) -> list[Bucket]:
    """Buckets of readings given as (ts_us, value), ascending."""
    return gathered([bucket_of_one(ts_us, value) for ts_us, value in values], bucket_s)


def gathered(parts: Iterable[Bucket], bucket_s: int, starts: Sequence[int] = ()) -> list[Bucket]:
    """Buckets made of shorter ones, ascending; each of them begins at one of `starts`, if given."""
    bucket_us = bucket_s * SECOND_US
    found: dict[int, list[Bucket]] = {}
    for part in parts:
        ts_us = part.ts_us - part.ts_us % bucket_us
        if starts:
            ts_us = starts[bisect_right(starts, part.ts_us) - 1]
        found.setdefault(ts_us, []).append(part)
    return [merged(ts_us, found[ts_us]) for ts_us in sorted(found)]

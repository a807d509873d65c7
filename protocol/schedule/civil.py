"""Civil time: what the clocks of a time zone show, and the conversion from and to instants.

A civil time is a day (the proleptic ordinal of `date.toordinal()`), a minute of that day, and the
microseconds after the minute. An instant is µs since 1970 in UTC.

When clocks are put forward, the skipped civil times are converted with the offset before the change
(RFC 5545 §3.3.5: 02:30 becomes 03:30). When they are put back, the first of two equal civil times
is meant.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from protocol.errors import BadRecurrence
from protocol.problems.detail import Detail
from protocol.times import EPOCH, FIRST_US, LAST_US, SECOND_US

MINUTE_US = 60 * SECOND_US
DAY_US = 24 * 60 * MINUTE_US
EPOCH_DAY = date(1970, 1, 1).toordinal()
# Two days inside of what Python can write, so that no zone's offset leads outside.
WRITABLE_US = (FIRST_US + 2 * DAY_US, LAST_US - 2 * DAY_US)
LAST_DAY = date.max.toordinal() - 1  # the last whose next day can be written

_SECOND_MIDNIGHT = time(fold=1)  # where it comes twice


class Civil(NamedTuple):
    """A civil time: day, minute of the day (0 to 1439), microseconds after that minute."""

    day: int
    minute: int
    rest_us: int


class Day(NamedTuple):
    """The instants (µs) of one civil day's times, ascending and unique.

    `floor_us`: no time of this day or a later one is before it. `plain`: the clocks did not change
    on this day; only then are all its instants within it, and before those of every later day.
    """

    instants: list[int]
    floor_us: int
    plain: bool


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The names of this machine's time zones. Cached, because listing them reads directories."""
    return frozenset(available_timezones())


_zones: dict[str, ZoneInfo] = {}


def load_zones() -> None:
    """Load all zones: a quarter of a second and 2 MB, in a thread at the start. Otherwise the first
    use of each zone would read its file on the event loop."""
    for name in zone_names():
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            _zones[name] = ZoneInfo(name)


def zone_of(name: str) -> ZoneInfo:
    """A zone by its IANA name, also one that is no longer listed but can still be loaded.

    Raises:
        BadRecurrence: field `timezone`: there is no such zone.
    """
    known = _zones.get(name)
    if known is not None:
        return known
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadRecurrence("timezone", Detail("zone_missing", zone=name[:60])) from None


def civil_of(us: int, zone: ZoneInfo) -> Civil:
    """The civil time in the zone at an instant within `WRITABLE_US`."""
    shown = (EPOCH + timedelta(microseconds=us)).astimezone(zone)
    rest_us = shown.second * SECOND_US + shown.microsecond
    return Civil(shown.toordinal(), shown.hour * 60 + shown.minute, rest_us)


def civil_us(day: int, minute: int, rest_us: int) -> int:
    """A civil time in µs since 1970-01-01T00:00 in its own zone; comparable, but no instant."""
    return (day - EPOCH_DAY) * DAY_US + minute * MINUTE_US + rest_us


def instant_of(day: int, minute: int, rest_us: int, zone: ZoneInfo) -> int:
    """The instant of one civil time."""
    shown = datetime.fromordinal(day) + timedelta(minutes=minute, microseconds=rest_us)
    return civil_us(day, minute, rest_us) - _us(zone.utcoffset(shown))


def offsets_of(day: int, zone: ZoneInfo) -> tuple[int, int]:
    """The offsets (µs) just before a day and at its end; equal if the clocks did not change.

    No zone ever changed its clocks twice within a day and back to the same offset.
    """
    before = zone.utcoffset(datetime.fromordinal(day))
    after = zone.utcoffset(datetime.combine(date.fromordinal(day + 1), _SECOND_MIDNIGHT))
    before_us = _us(before)
    return before_us, before_us if after == before else _us(after)


def change_of(day: int, zone: ZoneInfo) -> int:
    """The instant (µs) at which the clocks change on a day that has two offsets."""
    before_us, after_us = offsets_of(day, zone)
    begin_us = civil_us(day, 0, 0)
    low_us = begin_us - max(before_us, after_us) - 1
    high_us = begin_us + DAY_US - min(before_us, after_us)
    while high_us - low_us > 1:
        middle_us = (low_us + high_us) // 2
        shown = (EPOCH + timedelta(microseconds=middle_us)).astimezone(zone)
        if _us(shown.utcoffset()) == before_us:
            low_us = middle_us
        else:
            high_us = middle_us
    return high_us


def instants_of(day: int, minutes: Sequence[int], rest_us: int, zone: ZoneInfo) -> Day:
    """The instants of several times of one day (up to `LAST_DAY`), `rest_us` after each minute."""
    start_us = (day - EPOCH_DAY) * DAY_US
    before_us, after_us = offsets_of(day, zone)
    if before_us == after_us:
        floor_us = start_us - before_us
        base_us = floor_us + rest_us
        return Day([base_us + minute * MINUTE_US for minute in minutes], floor_us, plain=True)
    found = {instant_of(day, minute, rest_us, zone) for minute in minutes}
    # If midnight itself is skipped, its two offsets differ: the larger one gives the earlier bound.
    second = zone.utcoffset(datetime.fromordinal(day).replace(fold=1))
    floor_us = start_us - max(before_us, _us(second))
    return Day(sorted(found), floor_us, plain=False)


def _us(offset: timedelta | None) -> int:
    assert offset is not None  # a ZoneInfo has one for every time with a date
    return (offset.days * 86_400 + offset.seconds) * SECOND_US

"""Times. Inside Roost an instant is an `int`: microseconds since 1970-01-01T00:00:00Z.

Such a time sorts, subtracts and goes to PostgreSQL without a conversion. In JSON it is RFC 3339 in
UTC with microseconds.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from protocol.errors import Reason, Refusal, Unreadable
from protocol.problems.detail import Detail

SECOND_US = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_US = -62_135_596_800 * SECOND_US  # 0001-01-01, the first that RFC 3339 and Python can write
LAST_US = 253_402_300_800 * SECOND_US - 1  # the end of 9999
EARLIEST_US = 946_684_800 * SECOND_US  # 2000-01-01; a clock that shows less was never set
AHEAD_US = 5 * 60 * SECOND_US  # how far a device's clock may be ahead: five minutes
# CONTRACT §1: a Unix time below the first is in seconds, from the last on in nanoseconds.
MILLISECONDS_FROM = 10**11
MICROSECONDS_FROM = 10**14
NANOSECONDS_FROM = 10**17
_FAR = 1000 * LAST_US

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)"
)

# Digits of a Unix time in a text; a second in nanoseconds has 19.
_UNIX = re.compile(r"-?\d{1,20}(\.\d{0,20})?", re.ASCII)


def format_us(us: int) -> str:
    """RFC 3339 in UTC with microseconds: `2026-01-31T08:05:00.000000Z`. Raises `Unreadable`."""
    second, rest = divmod(writable(us), SECOND_US)
    return f"{_format_second(second)}.{rest:06d}Z"


@lru_cache(maxsize=4096)  # most times that are formatted together are of few seconds
def _format_second(second: int) -> str:
    # Not strftime, which omits the leading zeros of years before 1000.
    return (EPOCH + timedelta(seconds=second)).replace(tzinfo=None).isoformat()


def writable(us: int) -> int:
    """The time itself. Raises `Unreadable` if RFC 3339 cannot write it ("infinity" in SQL)."""
    if not FIRST_US <= us <= LAST_US:
        raise Unreadable("This record holds a time outside the years 1 to 9999")
    return us


def check_times(record: Any) -> None:
    """Check that every time of a record (fields named `…_us`) can be shown. Raises `Unreadable`."""
    for name in _times_of(type(record)):  # type: ignore[arg-type]  # mypy: Any is not hashable
        us = getattr(record, name)
        if us is not None:
            writable(us)


@cache
def _times_of(kind: Any) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name.endswith("_us"))


def shown_us(us: int | None) -> str | None:
    """As `format_us`; None for None, which is what has not happened."""
    return None if us is None else format_us(us)


def parse_rfc3339(text: str) -> int:
    """Microseconds since 1970 of an RFC 3339 date-time.

    Digits beyond microseconds are cut, and a leap second counts as the next second.

    Raises:
        ValueError: not RFC 3339, or a date that does not exist.
    """
    found = _RFC3339.fullmatch(text)
    if found is None or not text.isascii():
        raise ValueError(f"{text[:40]!r} is not an RFC 3339 time such as 2026-01-31T08:05:00Z")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    leap = second == 60
    moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
    us = (moment - EPOCH) // timedelta(microseconds=1) + (SECOND_US if leap else 0)
    us += int((found[7] or "0").ljust(6, "0")[:6])
    zone = found[8]
    if zone not in "Zz":
        hours, minutes = int(zone[1:3]), int(zone[4:])
        if hours > 23 or minutes > 59:
            raise ValueError(f"{zone} is not an offset from UTC")
        offset = (hours * 3600 + minutes * 60) * SECOND_US
        us += -offset if zone[0] == "+" else offset
        if not FIRST_US <= us <= LAST_US:
            raise ValueError(f"{text[:40]!r} is outside the years 1 to 9999 in UTC")
    return us


def parse_device_time(raw: Any, now_us: int) -> int:
    """The time (µs) of a device's `ts`: RFC 3339 text, or a Unix time, also as a text.

    The magnitude of a Unix time tells its unit: seconds, milliseconds, microseconds, nanoseconds.

    Raises:
        Refusal: `bad_time`: it is none of these, before 2000, or more than five minutes after
            `now_us`.
    """
    if isinstance(raw, str):
        raw = raw.strip()
        try:
            return _within(parse_rfc3339(raw), now_us)
        except ValueError as error:
            found = _UNIX.fullmatch(raw)
            if found is None:
                raise Refusal(Reason.BAD_TIME, _no_time(raw, str(error))) from None
            raw = float(raw) if found[1] else int(raw)
    elif type(raw) is not int and (type(raw) is not float or not math.isfinite(raw)):
        raise Refusal(Reason.BAD_TIME, Detail("time_shape"))
    # Before it is multiplied: a float may become infinite, and no number then.
    if not FIRST_US / SECOND_US <= raw <= _FAR:
        raise Refusal(Reason.BAD_TIME, Detail("time_years"))
    if raw < MILLISECONDS_FROM:
        us = raw * SECOND_US
    elif raw < MICROSECONDS_FROM:
        us = raw * 1000
    else:
        us = raw if raw < NANOSECONDS_FROM else raw // 1000
    return _within(us if type(us) is int else round(us), now_us)


def _within(us: int, now_us: int) -> int:
    """The time itself. Raises `Refusal` if no device's clock may show it."""
    if EARLIEST_US <= us <= now_us + AHEAD_US:
        return us
    if not FIRST_US <= us <= LAST_US:
        raise Refusal(Reason.BAD_TIME, Detail("time_years"))
    if us < EARLIEST_US:
        raise Refusal(Reason.BAD_TIME, Detail("time_before", time=format_us(us)))
    ahead = Detail("time_ahead", time=format_us(us), now=format_us(now_us))
    raise Refusal(Reason.BAD_TIME, ahead)


def _no_time(text: str, problem: str) -> Detail:
    shown = repr(text[:40])[1:-1]
    if _RFC3339.fullmatch(text) is None or not text.isascii():
        return Detail("time_format", text=shown)
    return Detail("time_impossible", text=shown, problem=problem)

"""Schedules: an instant, or a rule that repeats it in the civil time of a zone.

The rule runs on the clocks of its zone: "every day at nine" stays at nine when the clocks change,
and its instants move. Nothing here looks at a clock or waits for one.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from protocol.civil import (
    DAY_US,
    LAST_DAY,
    MINUTE_US,
    WRITABLE_US,
    Civil,
    civil_of,
    civil_us,
    instant_of,
    instants_of,
    zone_names,
    zone_of,
)
from protocol.errors import BadRecurrence
from protocol.expansion import STEPS_MAX, Expansion
from protocol.rrule import Rule, parse
from protocol.times import FIRST_US, LAST_US, SECOND_US, format_us, parse_rfc3339

# Each takes away at most a day: some 1,440 instants, whose day is dropped as a whole.
EXCLUSIONS_MAX = 200
# No clock was ever set by more than a day; one more, for the day of the other side.
NEAR_DAYS = 3

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Recurrence(msgspec.Struct, frozen=True, kw_only=True):
    """When something is due: once, or as often as a rule says."""

    start_us: int  # trigger_time, an instant
    timezone: str = "UTC"  # IANA
    rule: str | None = None  # RFC 5545 RRULE value, normalised; None: once, at start_us
    exclusions: tuple[str, ...] = ()  # RFC 3339 instants, or dates: that civil day in the zone


def recurrence(
    start_us: int,
    timezone: str | None = None,
    rule: str | None = None,
    exclusions: Iterable[str] = (),
) -> Recurrence:
    """A schedule, checked and normalised.

    Raises:
        BadRecurrence: with the `field` (`trigger_time`, `timezone`, `recurrence`, `exclusions`)
            that is wrong. So is a rule that has no occurrence from its start on, or none that the
            bounded search finds, and exclusions that leave none.
    """
    _check_start(start_us)
    name = "UTC" if timezone is None else timezone
    if name not in zone_names():
        raise BadRecurrence("timezone", f"{name[:60]!r} is not an IANA zone such as Europe/Berlin")
    read = None if rule is None else parse(rule)
    if read is not None and read.seconds:
        second = civil_of(start_us, zone_of(name)).rest_us // SECOND_US
        if read.seconds != (second,):
            raise BadRecurrence("recurrence", f"BYSECOND can only be the start's own: {second}")
    checked = Recurrence(
        start_us=start_us,
        timezone=name,
        rule=None if read is None else read.text,
        exclusions=_normal_exclusions(exclusions),
    )
    bare = msgspec.structs.replace(checked, exclusions=())
    if not occurrences(bare, start_us - 1, 1):
        raise BadRecurrence(
            "recurrence",
            f"has no occurrence from its start on (or none among {STEPS_MAX:,} candidates)",
        )
    if checked.exclusions and not occurrences(checked, start_us - 1, 1):
        raise BadRecurrence("exclusions", "leave no occurrence")
    return checked


def occurrences(recurrence: Recurrence, after_us: int, count: int) -> list[int]:
    """The next `count` instants strictly after `after_us` (fewer when the rule ends).

    Ascending and unique. COUNT counts instants, excluded ones too: two civil times that a change
    of the clocks makes one count once. Only a rule with COUNT is walked through from its start.

    Raises:
        BadRecurrence: a schedule not made by `recurrence()`, or whose zone is gone.
    """
    due = _Due(recurrence)
    found: list[int] = []
    for us in due.after(after_us) if count > 0 else ():
        found.append(us)
        if len(found) == count:
            break
    return found


def _normal_exclusions(exclusions: Iterable[str]) -> tuple[str, ...]:
    normal: dict[str, None] = {}
    for text in exclusions:
        excluded = _exclusion(text)
        normal[excluded.isoformat() if isinstance(excluded, date) else format_us(excluded)] = None
        if len(normal) > EXCLUSIONS_MAX:
            raise BadRecurrence("exclusions", f"must be at most {EXCLUSIONS_MAX}")
    return tuple(normal)


def _exclusion(text: str) -> int | date:
    """An instant or a civil day that is left out."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
        us = parse_rfc3339(text)
    except ValueError:
        us = LAST_US + 1
    if not FIRST_US <= us <= LAST_US:
        detail = f"{text[:40]!r} is neither an RFC 3339 time nor a date such as 2026-12-24"
        raise BadRecurrence("exclusions", detail)
    return us


def _check_start(start_us: int) -> None:
    if not WRITABLE_US[0] <= start_us <= WRITABLE_US[1]:
        raise BadRecurrence("trigger_time", "must lie within the years 1 to 9999")


class _Due:
    """One schedule, taken apart for a search."""

    def __init__(self, schedule: Recurrence) -> None:
        _check_start(schedule.start_us)
        self._start_us = schedule.start_us
        self._zone: ZoneInfo = zone_of(schedule.timezone)
        self._rule: Rule | None = None if schedule.rule is None else parse(schedule.rule)
        left_out = [_exclusion(text) for text in schedule.exclusions]
        self._no_days = {day.toordinal() for day in left_out if isinstance(day, date)}
        self._no_instants = {us for us in left_out if not isinstance(us, date)}

    def after(self, after_us: int) -> Iterator[int]:
        """Every instant after this one that is not excluded, ascending."""
        rule, start_us = self._rule, self._start_us
        if rule is None:
            if start_us > after_us and not self._excluded(start_us):
                yield start_us
            return
        low_us, high_us = WRITABLE_US
        if after_us >= high_us:
            return
        shown = civil_of(max(after_us, low_us), self._zone)
        until_us = high_us if rule.until_us is None else rule.until_us
        left = rule.count
        from_day = shown.day - NEAR_DAYS if left is None else 0
        for plain_day, instants in self._ascending(rule, from_day):
            if left is not None:
                instants = instants[:left]
                left -= len(instants)
            if instants and instants[-1] > after_us and plain_day not in self._no_days:
                for us in instants:
                    if us > until_us:
                        return
                    if us > after_us and not self._excluded(us, plain_day):
                        yield us
            if left == 0:
                return

    def _excluded(self, us: int, plain_day: int | None = None) -> bool:
        if us in self._no_instants:
            return True
        if plain_day is not None or not self._no_days:
            return False
        return civil_of(us, self._zone).day in self._no_days

    def _ascending(self, rule: Rule, from_day: int) -> Iterator[tuple[int | None, list[int]]]:
        """The instants of the rule from its start on, ascending and unique, in bunches.

        With a bunch comes its civil day, or None where a change of the clocks mixed several.
        """
        start = civil_of(self._start_us, self._zone)
        # A start that is the second of a time that exists twice is meant as it is.
        twin_us = instant_of(*start, self._zone)
        expansion = Expansion(rule, start.day, start.minute)
        held: set[int] = set()
        for day, minutes in expansion.days(from_day, *_last(rule, start)):
            found = instants_of(day, minutes, start.rest_us, self._zone)
            instants = found.instants
            if day == start.day or held:
                instants = [self._start_us if us == twin_us else us for us in instants]
            if held and (ready := sorted(us for us in held if us < found.floor_us)):
                held.difference_update(ready)
                yield None, ready
            if found.plain and not held:
                yield day, instants
            else:
                held.update(us for us in instants if us >= self._start_us)
        yield None, sorted(held)


def _last(rule: Rule, start: Civil) -> tuple[int, int]:
    """The last day that UNTIL allows, and the last minute of it."""
    if rule.until_civil_us is not None:
        minutes = (rule.until_civil_us - civil_us(0, 0, start.rest_us)) // MINUTE_US
        day, minute = divmod(minutes, 1440)
    elif rule.until_us is not None:  # the instants decide; no zone is two days off
        day, minute = (rule.until_us - civil_us(0, 0, 0)) // DAY_US + 2, 1439
    else:
        day, minute = LAST_DAY, 1439
    return (max(1, day), minute) if day <= LAST_DAY else (LAST_DAY, 1439)

"""Recurrence: an instant, or a rule that repeats it in the civil time of a time zone.

"Every day at nine" stays at nine when the zone's clocks change; its instants move. "Every half
hour" stays every half hour; what the clocks show moves. Instants are µs since 1970. All functions
are pure, and a search is bounded (`WORK_MAX`).
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from protocol.errors import BadRecurrence
from protocol.problems.detail import Detail
from protocol.schedule.civil import (
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
from protocol.schedule.elapsed import Elapsed
from protocol.schedule.expansion import STEPS_MAX, Expansion
from protocol.schedule.rrule import Freq, Rule, bad, parse
from protocol.times import FIRST_US, LAST_US, SECOND_US, format_us, parse_rfc3339

# Each removes at most a day, that is up to 1,440 instants, which are skipped at once.
EXCLUSIONS_MAX = 200
# Candidates without a match, in all, after which a search returns what it has: 10 to 20 ms.
WORK_MAX = 3_000
# How many days before an instant a search begins: no zone ever moved by more than a day.
NEAR_DAYS = 3

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Recurrence(msgspec.Struct, frozen=True, kw_only=True):
    """When something is due: once, or repeatedly by a rule. Made and checked by `recurrence()`."""

    start_us: int  # trigger_time, an instant
    timezone: str = "UTC"  # IANA
    rule: str | None = None  # RFC 5545 RRULE value, normalised; None: once, at start_us
    exclusions: tuple[str, ...] = ()  # RFC 3339 instants, or dates (civil days in the zone)


def recurrence(
    start_us: int,
    timezone: str | None = None,
    rule: str | None = None,
    exclusions: Iterable[str] = (),
) -> Recurrence:
    """Check and normalise a schedule.

    Raises:
        BadRecurrence: a field (`trigger_time`, `timezone`, `recurrence`, `exclusions`) is invalid;
            or the rule has no occurrence from its start on that the bounded search finds, or takes
            too long to count; or the exclusions leave no occurrence.
    """
    _check_start(start_us)
    name = "UTC" if timezone is None else timezone
    if name not in zone_names():
        raise BadRecurrence("timezone", Detail("zone_unknown", zone=name[:60]))
    read = None if rule is None else parse(rule)
    if read is not None and read.seconds:
        second = civil_of(start_us, zone_of(name)).rest_us // SECOND_US
        if read.seconds != (second,):
            raise bad(Detail("rule_second", second=second))
    checked = Recurrence(
        start_us=start_us,
        timezone=name,
        rule=None if read is None else read.text,
        exclusions=_normal_exclusions(exclusions),
    )
    bare = msgspec.structs.replace(checked, exclusions=())
    if not occurrences(bare, start_us - 1, 1):
        raise bad(Detail("rule_never", steps=STEPS_MAX))
    if read is not None and read.count is not None and not _is_countable(bare):
        raise bad(Detail("rule_count_far", steps=WORK_MAX))
    if checked.exclusions and not upcoming(checked, start_us - 1, 1).instants:
        raise BadRecurrence("exclusions", Detail("exclusions_all", steps=WORK_MAX))
    return checked


def _is_countable(schedule: Recurrence) -> bool:
    """Whether a rule with COUNT is cheap to walk through, as every search begins at its start."""
    rule, zone = parse(schedule.rule or ""), zone_of(schedule.timezone)
    start = civil_of(schedule.start_us, zone)
    expansion = _expansion(rule, schedule.start_us, zone)
    left = rule.count or 0
    for _, minutes in expansion.days(start.day, *_last(rule, start)):
        left -= len(minutes)
        if left <= 0 or expansion.spent > WORK_MAX:
            break
    return expansion.spent <= WORK_MAX


def _expansion(rule: Rule, start_us: int, zone: ZoneInfo) -> Expansion | Elapsed:
    if rule.freq in (Freq.HOURLY, Freq.MINUTELY):
        return Elapsed(rule, start_us, zone)
    start = civil_of(start_us, zone)
    return Expansion(rule, start.day, start.minute)


class Upcoming(msgspec.Struct, frozen=True):
    """The result of a bounded search.

    Attributes:
        through_us: up to which instant it searched; None: there are no further instants.
        spent: candidates without a match.
    """

    instants: list[int]
    through_us: int | None
    spent: int


def upcoming(
    recurrence: Recurrence, after_us: int, count: int, before_us: int = WRITABLE_US[1]
) -> Upcoming:
    """As `occurrences`, but bounded: it ends early after `WORK_MAX` candidates without a match,
    10 to 20 ms. Call it again with `through_us` to continue.

    Args:
        before_us: later instants are of no use, and are not searched for.
    """
    due = _Due(recurrence)
    found: list[int] = []
    for us, is_due in due.every(after_us, before_us) if count > 0 else ():
        if us >= before_us:
            break
        if is_due:
            found.append(us)
        if len(found) == count or due.spent > WORK_MAX:
            return Upcoming(found, us, due.spent)
    return Upcoming(found, None, due.spent)


def occurrences(recurrence: Recurrence, after_us: int, count: int) -> list[int]:
    """The next `count` instants (µs) strictly after `after_us`; fewer if the rule ends.

    Ascending and unique. COUNT counts instants, including excluded ones; two civil times that
    daylight saving maps to one instant count once. Only rules with COUNT are searched from their
    start.

    Raises:
        BadRecurrence: the schedule was not made by `recurrence()`, or its zone no longer exists.
    """
    found: list[int] = []
    through_us: int | None = after_us
    while through_us is not None and len(found) < count:
        some = upcoming(recurrence, through_us, count - len(found))
        found += some.instants
        through_us = some.through_us
    return found


def _normal_exclusions(exclusions: Iterable[str]) -> tuple[str, ...]:
    normal: dict[str, None] = {}
    for text in exclusions:
        excluded = _exclusion(text)
        normal[excluded.isoformat() if isinstance(excluded, date) else format_us(excluded)] = None
        if len(normal) > EXCLUSIONS_MAX:
            raise BadRecurrence("exclusions", Detail("exclusions_many", most=EXCLUSIONS_MAX))
    return tuple(normal)


def _exclusion(text: str) -> int | date:
    """The excluded instant (µs) or civil day."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
        us = parse_rfc3339(text)
    except ValueError:
        us = LAST_US + 1
    if not FIRST_US <= us <= LAST_US:
        raise BadRecurrence("exclusions", Detail("exclusion_invalid", text=text[:40]))
    return us


def _check_start(start_us: int) -> None:
    if not WRITABLE_US[0] <= start_us <= WRITABLE_US[1]:
        raise BadRecurrence("trigger_time", Detail("start_years"))


class _Due:
    """A search over one schedule."""

    def __init__(self, schedule: Recurrence) -> None:
        _check_start(schedule.start_us)
        self._start_us = schedule.start_us
        self._zone: ZoneInfo = zone_of(schedule.timezone)
        self._rule: Rule | None = None if schedule.rule is None else parse(schedule.rule)
        left_out = [_exclusion(text) for text in schedule.exclusions]
        self._no_days = {day.toordinal() for day in left_out if isinstance(day, date)}
        self._no_instants = {us for us in left_out if not isinstance(us, date)}
        self._expansion: Expansion | Elapsed | None = None

    @property
    def spent(self) -> int:
        """Candidates without a match so far."""
        return 0 if self._expansion is None else self._expansion.spent

    def every(self, after_us: int, before_us: int) -> Iterator[tuple[int, bool]]:
        """Every instant after `after_us`, ascending, with True if it is due, False if excluded;
        at least those before `before_us`.

        Of an excluded day with plain clocks only the last instant is given.
        """
        rule, start_us = self._rule, self._start_us
        if rule is None:
            if start_us > after_us:
                yield start_us, not self._excluded(start_us)
            return
        low_us, high_us = WRITABLE_US
        if after_us >= high_us:
            return
        shown = civil_of(max(after_us, low_us), self._zone)
        until_us = high_us if rule.until_us is None else rule.until_us
        left = rule.count
        from_day = shown.day - NEAR_DAYS if left is None else 0
        for plain_day, instants in self._ascending(rule, from_day, before_us):
            if left is not None:
                instants = instants[:left]
                left -= len(instants)
            if instants and instants[-1] > after_us:
                if plain_day in self._no_days:
                    instants, is_no_day = instants[-1:], True
                else:
                    is_no_day = False
                for us in instants:
                    if us > until_us:
                        return
                    if us > after_us:
                        yield us, not is_no_day and not self._excluded(us, plain_day)
            if left == 0:
                return

    def _excluded(self, us: int, plain_day: int | None = None) -> bool:
        if us in self._no_instants:
            return True
        if plain_day is not None or not self._no_days:
            return False
        return civil_of(us, self._zone).day in self._no_days

    def _ascending(
        self, rule: Rule, from_day: int, before_us: int
    ) -> Iterator[tuple[int | None, list[int]]]:
        """The instants of the rule from its start on, ascending and unique, in groups; at least
        those before `before_us`.

        Each group has its civil day, or None if a change of the clocks mixed several days.
        """
        start = civil_of(self._start_us, self._zone)
        # If the start's civil time exists twice and the second is meant, keep the second.
        twin_us = instant_of(*start, self._zone)
        expansion = self._expansion = _expansion(rule, self._start_us, self._zone)
        held: set[int] = set()
        end_day = civil_of(max(before_us, WRITABLE_US[0]), self._zone).day + NEAR_DAYS
        last = min(_last(rule, start), (end_day, 1439))
        for day, minutes in expansion.days(from_day, *last):
            if isinstance(expansion, Elapsed):
                found = expansion.of(day)
            else:
                found = instants_of(day, minutes, start.rest_us, self._zone)
            instants = found.instants
            if (day == start.day or held) and isinstance(expansion, Expansion):
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
    """The last day that UNTIL allows, and the last minute of that day."""
    if rule.until_civil_us is not None:
        minutes = (rule.until_civil_us - civil_us(0, 0, start.rest_us)) // MINUTE_US
        day, minute = divmod(minutes, 1440)
    elif rule.until_us is not None:  # instants are compared later; no offset reaches two days
        day, minute = (rule.until_us - civil_us(0, 0, 0)) // DAY_US + 2, 1439
    else:
        day, minute = LAST_DAY, 1439
    return (max(1, day), minute) if day <= LAST_DAY else (LAST_DAY, 1439)

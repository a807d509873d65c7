"""The instants of a rule that repeats by hours or minutes: in elapsed time.

Hours and minutes are exact durations (RFC 5545 §3.3.6): every half hour stays every half hour when
the clocks change. What a rule says of months, days, hours and minutes (BYMONTH, BYDAY, BYHOUR,
BYMINUTE …) is about what the clocks of the zone show at the instant.
"""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from protocol.schedule.civil import (
    DAY_US,
    MINUTE_US,
    Civil,
    Day,
    change_of,
    civil_of,
    civil_us,
    offsets_of,
)
from protocol.schedule.expansion import Expansion, Found
from protocol.schedule.rrule import Freq, Rule

HOUR_US = 60 * MINUTE_US


class Elapsed:
    """A rule of hours or minutes, from one instant on; `of` gives the instants of a civil day."""

    def __init__(self, rule: Rule, start_us: int, zone: ZoneInfo) -> None:
        start = civil_of(start_us, zone)
        self._expansion = Expansion(rule, start.day, start.minute, self._instants)
        self._start_us = start_us
        self._zone = zone
        self._until_us = rule.until_civil_us
        # BYMINUTE expands an hour; then the slots are hours, which begin as the start's does.
        self._minutes = _minutes(rule) if rule.freq == Freq.HOURLY and rule.minutes else ()
        self._origin_us = _begin_of_hour(start_us, start) if self._minutes else start_us
        self._rest_us = start.rest_us if self._minutes else 0
        self._period_us = rule.interval * (HOUR_US if rule.freq == Freq.HOURLY else MINUTE_US)
        self._allowed = _allowed(rule)
        self._known: dict[int, tuple[int, ...]] = {}  # of a whole day, from its midnight

    @property
    def spent(self) -> int:
        """As `Expansion.spent`."""
        return self._expansion.spent

    def days(self, from_day: int, last_day: int, last_minute: int = 1439) -> Iterator[Found]:
        """The days with instants of the rule, ascending, and these; as `Expansion.days`."""
        return self._expansion.days(from_day, last_day)

    def of(self, day: int) -> Day:
        """The instants (µs) of one civil day."""
        before_us, after_us = offsets_of(day, self._zone)
        begin_us = civil_us(day, 0, 0)
        if before_us == after_us:
            midnight_us = begin_us - before_us
            found = [midnight_us + us for us in self._whole_day(midnight_us)]
            return Day(found and self._within(found, before_us), midnight_us, plain=True)
        change_us = change_of(day, self._zone)
        found = [
            *self._between(
                begin_us - before_us, min(begin_us + DAY_US - before_us, change_us), before_us
            ),
            *self._between(
                max(begin_us - after_us, change_us), begin_us + DAY_US - after_us, after_us
            ),
        ]
        return Day(found, begin_us - max(before_us, after_us), plain=False)

    def _instants(self, day: int) -> Sequence[int]:
        return self.of(day).instants

    def _whole_day(self, midnight_us: int) -> Sequence[int]:
        """The instants of a day whose clocks do not change, counted from its midnight."""
        shift_us = (self._origin_us - midnight_us) % self._period_us
        if shift_us >= DAY_US and shift_us + HOUR_US <= self._period_us:
            return ()
        if shift_us not in self._known:  # all entries together have some days' minutes
            self._known[shift_us] = tuple(self._slots(0, DAY_US, 0, shift_us))
        return self._known[shift_us]

    def _between(self, low_us: int, high_us: int, offset_us: int) -> list[int]:
        """The instants between two, in which the clocks show this offset from UTC."""
        found = self._slots(low_us, high_us, offset_us, self._origin_us) if low_us < high_us else ()
        return self._within(found, offset_us)

    def _within(self, instants: Sequence[int], offset_us: int) -> list[int]:
        """Without those before the start and after a civil UNTIL."""
        low_us, until_us = self._start_us, self._until_us
        if until_us is None:
            return [us for us in instants if us >= low_us]
        return [us for us in instants if low_us <= us <= until_us - offset_us]

    def _slots(self, low_us: int, high_us: int, offset_us: int, origin_us: int) -> list[int]:
        allowed, period_us = self._allowed, self._period_us
        if not self._minutes:
            first_us = low_us + (origin_us - low_us) % period_us
            every = range(first_us, high_us, period_us)
            return [us for us in every if allowed[(us + offset_us) % DAY_US // MINUTE_US]]
        begin_us = low_us - HOUR_US + 1
        found = []
        for slot_us in range(begin_us + (origin_us - begin_us) % period_us, high_us, period_us):
            shown = (slot_us + offset_us) // MINUTE_US
            for after in sorted((minute - shown) % 60 for minute in self._minutes):
                us = slot_us + after * MINUTE_US + self._rest_us
                if low_us <= us < high_us and allowed[(us + offset_us) % DAY_US // MINUTE_US]:
                    found.append(us)
        return found


def _begin_of_hour(start_us: int, start: Civil) -> int:
    return start_us - start.minute % 60 * MINUTE_US - start.rest_us


def _minutes(rule: Rule) -> tuple[int, ...]:
    """The minutes of an hour that BYMINUTE and BYSETPOS select."""
    minutes = sorted(rule.minutes)
    if not rule.positions:
        return tuple(minutes)
    places = {p - 1 if p > 0 else len(minutes) + p for p in rule.positions}
    return tuple(minutes[place] for place in sorted(places) if 0 <= place < len(minutes))


def _allowed(rule: Rule) -> list[bool]:
    """Whether the rule allows each minute of a day."""
    hours, minutes = rule.hours or range(24), rule.minutes or range(60)
    is_one = rule.freq == Freq.MINUTELY or not rule.minutes  # BYSETPOS has one to choose from
    is_chosen = not (is_one and rule.positions) or bool({1, -1} & set(rule.positions))
    return [is_chosen and m // 60 in hours and m % 60 in minutes for m in range(1440)]

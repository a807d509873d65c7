"""The civil times of a recurrence rule, found with bounded work.

`dateutil` computes which days of one year a rule's parts allow. It does not search over years,
because it has no bound between two matches but the year 9999, neither `until` nor `count`, and
`FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30` has no match at all. There are only 21 kinds of years (the
weekday of 1 January, and whether this year and the one before are leap years), so any search
computes at most 21 years. Periods, INTERVAL, times of the day and BYSETPOS are arithmetic on top.
"""

import calendar
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import MAXYEAR, date, datetime
from itertools import groupby
from typing import Any

from dateutil import rrule as dateutil_rrule

from protocol.schedule.rrule import Freq, Rule

# Consecutive candidates (periods, days, times of a day) without a match. One costs 1 to 2 µs, so a
# search ends within some 20 ms. Everyday rules need 1,440 at most: one minute of the day, with an
# INTERVAL of minutes coprime to it.
STEPS_MAX = 10_000
YEAR_STEPS = 4  # the cost of a year, even an empty one: a search sees at most 2,500 years
MAX_DAY = date.max.toordinal()
_ALL_WEEK = tuple((weekday, 0) for weekday in range(7))
_SLOTS = {Freq.HOURLY: 24, Freq.MINUTELY: 1440}  # slots per day; 1 for any other FREQ

Found = tuple[int, Sequence[int]]  # a day and its minutes, ascending
Candidates = Iterator[tuple[int, list[int]]]  # the cost in steps, and the days


class Expansion:
    """A rule from one civil start on: `days()` yields its civil times.

    Args:
        of_day: for FREQ=HOURLY and MINUTELY, whose times depend on the zone, the times of a day of
            the rule (`elapsed`); the start and the end are then its business.
    """

    def __init__(
        self,
        rule: Rule,
        start_day: int,
        start_minute: int,
        of_day: Callable[[int], Sequence[int]] | None = None,
    ) -> None:
        self._rule = rule
        self._of_day = of_day
        self._start_day = start_day
        self._start_minute = start_minute
        self._start = date.fromordinal(start_day)
        self._kinds: dict[tuple[int, bool, bool], list[int]] = {}  # days of the year, 0 to 365
        self._now: tuple[int, int, list[int]] = (0, 0, [])  # the latest year
        self._perday = _SLOTS.get(rule.freq, 1)
        self._origin = start_day * self._perday + start_minute * self._perday // 1440
        self._minutes = self._minutes_of_day()
        self.steps = 0  # without a match, since the last one
        self.spent = 0  # without a match, altogether

    def days(self, from_day: int, last_day: int, last_minute: int = 1439) -> Iterator[Found]:
        """The days with times of the rule, ascending, from `from_day` to the given last civil time.

        Ends early after `STEPS_MAX` consecutive candidates without a match.
        """
        from_day = max(from_day, self._start_day)
        for cost, days in self._periods(from_day, last_day):
            self.steps += cost
            self.spent += cost
            has_match = False
            for day, minutes in self._of_period(days):
                if day > last_day:
                    return
                if day == self._start_day and self._of_day is None:
                    minutes = [minute for minute in minutes if minute >= self._start_minute]
                if day == last_day:
                    minutes = [minute for minute in minutes if minute <= last_minute]
                if minutes and day >= from_day:
                    self.steps = 0
                    if not has_match:
                        has_match, self.spent = True, self.spent - cost
                    yield day, minutes
                self.steps += not minutes
                self.spent += not minutes
                if self.steps > STEPS_MAX:
                    return
            if self.steps > STEPS_MAX:
                return

    # Days of a year

    def _year(self, year: int) -> tuple[int, list[int]]:
        """1 January of a year, and which days after it (0 to 365) the rule allows, ascending."""
        if self._now[0] != year:
            january = date(year, 1, 1)
            kind = (january.weekday(), calendar.isleap(year), calendar.isleap(year - 1))
            if kind not in self._kinds:
                self._kinds[kind] = self._ask(2000 + year % 400)
            self._now = (year, january.toordinal(), self._kinds[kind])
        return self._now[1:]

    def _between(self, first: int, last: int) -> list[int]:
        """The allowed days between two days, inclusive, in at most two years."""
        years = (date.fromordinal(first).year, date.fromordinal(last).year)
        days: list[int] = []
        for year in range(years[0], years[1] + 1):
            january, left = self._year(year)
            low, high = bisect_left(left, first - january), bisect_left(left, last + 1 - january)
            days += [january + i for i in left[low:high]]
        return days

    def _ask(self, year: int) -> list[int]:
        """The allowed days of one year (0 to 365), computed by dateutil."""
        rule, freq = self._rule, self._rule.freq
        months, month_days, weekdays = rule.months, rule.month_days, rule.weekdays
        if rule.week_numbers and not (rule.year_days or month_days or weekdays):
            weekdays = ((self._start.weekday(), 0),)
        elif not (rule.year_days or month_days or weekdays):
            # RFC 5545: parts that the rule does not give are taken from the start.
            if freq in (Freq.YEARLY, Freq.MONTHLY):
                month_days = (self._start.day,)
                months = months or ((self._start.month,) if freq == Freq.YEARLY else ())
            else:
                weekdays = ((self._start.weekday(), 0),) if freq == Freq.WEEKLY else _ALL_WEEK
        numbered = any(n for _, n in weekdays)
        if numbered and freq == Freq.MONTHLY:
            months = months or tuple(range(1, 13))  # makes dateutil count weekdays per month
        if numbered:  # dateutil does not accept plain and numbered weekdays together
            most = 5 if months else 53
            weekdays = tuple(
                (d, i) for d, n in weekdays for i in ([n] if n else range(1, most + 1))
            )
        asked: dict[str, Any] = {
            "bymonth": months,
            "byweekno": rule.week_numbers,
            "byyearday": rule.year_days,
            "bymonthday": month_days,
            "byweekday": [dateutil_rrule.weekday(d, n or None) for d, n in weekdays],
        }
        found = dateutil_rrule.rrule(
            dateutil_rrule.YEARLY,
            dtstart=datetime(year, 1, 1),
            interval=MAXYEAR,  # so that there is no second year
            wkst=rule.week_start,
            **{name: value for name, value in asked.items() if value},
        )
        return [moment.timetuple().tm_yday - 1 for moment in found]

    # Times of a day

    def _minutes_of_day(self) -> tuple[int, ...]:
        """The minutes of each day that the rule allows, for FREQ=DAILY and longer periods."""
        hour, minute = divmod(self._start_minute, 60)
        hours, minutes = self._rule.hours or (hour,), self._rule.minutes or (minute,)
        every = tuple(60 * h + m for h in sorted(hours) for m in sorted(minutes))
        if self._rule.freq == Freq.DAILY and self._rule.positions:
            return tuple(every[place] for place in self._picks(len(every)))
        return every

    def _times(self, day: int) -> Sequence[int]:
        """The times of a day."""
        if self._of_day is not None:
            return self._of_day(day)
        if self._rule.freq == Freq.DAILY and (day - self._start_day) % self._rule.interval:
            return ()
        return self._minutes

    def _picks(self, size: int) -> list[int]:
        """The indices that BYSETPOS selects in a period of `size` times, ascending."""
        places = {p - 1 if p > 0 else size + p for p in self._rule.positions}
        return sorted(place for place in places if 0 <= place < size)

    def _of_period(self, days: list[int]) -> Iterator[Found]:
        """The times of one period's days, after BYSETPOS if the rule has it."""
        if self._rule.freq >= Freq.DAILY or not self._rule.positions:
            for day in days:
                yield day, self._times(day)
            return
        times = self._minutes
        picks = (divmod(place, len(times)) for place in self._picks(len(days) * len(times)))
        for index, chosen in groupby(picks, key=lambda pick: pick[0]):
            yield days[index], [times[place] for _, place in chosen]

    # Periods, beginning with the one that contains `from_day`

    def _periods(self, from_day: int, last_day: int) -> Candidates:
        kinds = {
            Freq.YEARLY: self._each_year,
            Freq.MONTHLY: self._each_month,
            Freq.WEEKLY: self._each_week,
        }
        return kinds.get(self._rule.freq, self._each_day)(from_day, last_day)

    def _each_year(self, from_day: int, last_day: int) -> Candidates:
        interval, start = self._rule.interval, self._start.year
        from_year = date.fromordinal(from_day).year
        first = from_year - (from_year - start) % interval
        for year in range(first, date.fromordinal(last_day).year + 1, interval):
            january, left = self._year(year)
            yield YEAR_STEPS + len(left), [january + i for i in left]

    def _each_month(self, from_day: int, last_day: int) -> Candidates:
        interval, start = self._rule.interval, _month(self._start)
        from_month, last = _month(date.fromordinal(from_day)), _month(date.fromordinal(last_day))
        first = from_month - (from_month - start) % interval
        for index in range(first, last + 1, interval):
            year, month = index // 12, index % 12 + 1
            begin = date(year, month, 1).toordinal()
            days = self._between(begin, begin + calendar.monthrange(year, month)[1] - 1)
            yield 1 + len(days), days

    def _each_week(self, from_day: int, last_day: int) -> Candidates:
        # As in dateutil, the first week begins at the start: BYSETPOS does not count days before.
        stride = 7 * self._rule.interval
        start = self._start_day - (self._start_day - 1 - self._rule.week_start) % 7
        first = from_day - (from_day - start) % stride
        for week in range(first, last_day + 1, stride):
            days = self._between(max(week, self._start_day), min(week + 6, MAX_DAY))
            yield 1 + len(days), days

    def _each_day(self, from_day: int, last_day: int) -> Candidates:
        """The days for FREQ=DAILY and shorter periods, a year at a time. Walks the shorter of two
        lists: the allowed days, or the slots of INTERVAL."""
        for year in range(date.fromordinal(from_day).year, date.fromordinal(last_day).year + 1):
            begin = max(from_day, date(year, 1, 1).toordinal())
            end = min(last_day, date(year, 12, 31).toordinal())
            january, left = self._year(year)
            low, high = bisect_left(left, begin - january), bisect_left(left, end + 1 - january)
            # The zone's offset moves a slot of hours or minutes by up to a day, Samoa's by two.
            near = range(1) if self._of_day is None else range(-2, 3)
            slots = self._slots(begin + near[0], end + near[-1])
            if len(slots) * len(near) < high - low:
                days = sorted({slot // self._perday + n for slot in slots for n in near})
                yield (
                    YEAR_STEPS + 2 * len(days),
                    [day for day in days if begin <= day <= end and _holds(left, day - january)],
                )
            else:
                yield YEAR_STEPS, [january + i for i in left[low:high]]

    def _slots(self, begin: int, end: int) -> range:
        """The slots of INTERVAL from one day to another. Fewer than days if some days have none."""
        interval, perday = self._rule.interval, self._perday
        first = begin * perday + (self._origin - begin * perday) % interval
        return range(first, (end + 1) * perday, interval)


def _holds(days: list[int], day: int) -> bool:
    place = bisect_left(days, day)
    return place < len(days) and days[place] == day


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1

"""Rules in civil time, against python-dateutil on naive times and zoneinfo's first of two."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import BadRecurrence
from protocol.schedule.recurrence import occurrences, recurrence
from protocol.times import EPOCH, SECOND_US

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Ho_Chi_Minh"]
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
MANY = 30

# From 2026 on, in minutes; near the changes of clocks, too.
starts = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)).map(
    lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC)
) | st.sampled_from(
    [datetime(2026, 3, 28, 1, 30), datetime(2026, 10, 24, 0, 30), datetime(2026, 10, 3, 15, 45)]
).map(lambda moment: moment.replace(tzinfo=UTC))


@st.composite
def rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(["HOURLY", "DAILY", "WEEKLY", "MONTHLY"]))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 5))}"]
    if freq != "MONTHLY" and draw(st.booleans()):
        days = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=3, unique=True))
        parts.append(f"BYDAY={','.join(days)}")
    elif freq == "MONTHLY" and draw(st.booleans()):
        days = draw(st.lists(st.integers(1, 31).map(str), min_size=1, max_size=3, unique=True))
        parts.append(f"BYMONTHDAY={','.join(days)}")
    elif freq == "MONTHLY" and draw(st.booleans()):
        parts.append(f"BYDAY={draw(st.sampled_from([-1, 1, 2, 4]))}{draw(st.sampled_from(DAYS))}")
    if freq in ("DAILY", "WEEKLY") and draw(st.booleans()):
        hours = draw(st.lists(st.integers(0, 23).map(str), min_size=1, max_size=3, unique=True))
        parts.append(f"BYHOUR={','.join(hours)}")
    return ";".join(parts)


def first_of(rule: str, start: datetime, zone: str, most: int) -> list[int]:
    """What the rule means, by others: the clock's times, each the first of two, gaps as before."""
    local = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    found: Any = rrulestr(rule, dtstart=local)
    # A gap may move a time past the next one, and two of them to one instant.
    shown = islice(found, 2 * most + 10)
    instants = {
        (each.replace(tzinfo=ZoneInfo(zone)) - EPOCH) // timedelta(microseconds=1) for each in shown
    }
    start_us = (start - EPOCH) // timedelta(microseconds=1)
    return sorted(us for us in instants if us >= start_us)[:most]


@given(starts, st.sampled_from(ZONES), rules())
def test_a_rule_means_what_others_say(start: datetime, zone: str, rule: str) -> None:
    start_us = (start - EPOCH) // timedelta(microseconds=1)
    try:
        read = recurrence(start_us, zone, rule)
    except BadRecurrence:
        # A rule of which the bounded search finds nothing; the other search finds nothing near.
        assert not [
            us for us in first_of(rule, start, zone, 1) if us < start_us + 86_400 * SECOND_US
        ]
        return
    assert occurrences(read, start_us - 1, MANY) == first_of(rule, start, zone, MANY)


@given(starts, st.sampled_from(ZONES), rules(), st.integers(0, 400 * 86_400))
def test_the_future_does_not_depend_on_where_one_begins_to_look(
    start: datetime, zone: str, rule: str, later_s: int
) -> None:
    start_us = (start - EPOCH) // timedelta(microseconds=1)
    try:
        read = recurrence(start_us, zone, rule)
    except BadRecurrence:
        return
    all_us = occurrences(read, start_us - 1, MANY)
    assert all_us == sorted(set(all_us))
    after_us = start_us + later_s * SECOND_US
    later = occurrences(read, after_us, MANY)
    assert all(us > after_us for us in later)
    common = [us for us in all_us if us > after_us]
    assert later[: len(common)] == common

"""Rules of days in civil time, against python-dateutil on naive times and zoneinfo's first of two;
rules of hours and minutes in elapsed time, against a walk through the instants."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import BadRecurrence
from protocol.schedule.civil import DAY_US
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
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]))
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


numbers = st.lists(st.integers(0, 59), min_size=1, max_size=4, unique=True).map(sorted)


@st.composite
def short_rules(draw: st.DrawFn) -> tuple[str, dict[str, list[int]], int]:
    """A rule of hours or minutes, its parts, and how many minutes it repeats by."""
    freq = draw(st.sampled_from(["HOURLY", "MINUTELY"]))
    interval = draw(st.integers(1, 7) | st.sampled_from([12, 24, 30, 36, 90, 1440, 5_000, 20_000]))
    parts = {}
    if draw(st.booleans()):
        hours = st.lists(st.integers(0, 23), min_size=1, max_size=5, unique=True)
        parts["BYHOUR"] = sorted(draw(hours | st.just([1, 2, 3])))
    if draw(st.booleans()):
        parts["BYMINUTE"] = draw(numbers | st.just([0, 30]))
    if draw(st.booleans()):
        parts["BYMONTHDAY"] = draw(st.just([25, 28, 29]) | st.just(list(range(1, 29))))
    written = [f"{name}={','.join(map(str, values))}" for name, values in parts.items()]
    text = ";".join([f"FREQ={freq}", f"INTERVAL={interval}", *written])
    return text, parts, interval * (60 if freq == "HOURLY" else 1)


def walked(
    parts: dict[str, list[int]], every: int, is_hourly: bool, start: datetime, zone: str, days: int
) -> list[int]:
    """Every minute of some days that the rule means, one after the other."""
    first = start.astimezone(ZoneInfo(zone))
    origin = start
    if is_hourly and "BYMINUTE" in parts:  # which expands the hours
        origin = start - timedelta(minutes=first.minute)
    found = []
    for minute in range(days * 1440):
        moment = start + timedelta(minutes=minute)
        shown = moment.astimezone(ZoneInfo(zone))
        since = (moment - origin) // timedelta(minutes=1)
        slot = since // 60 * 60 if is_hourly and "BYMINUTE" in parts else since
        fits = (
            slot % every == 0
            and shown.hour in parts.get("BYHOUR", range(24))
            and shown.minute in parts.get("BYMINUTE", range(60))
            and shown.day in parts.get("BYMONTHDAY", range(1, 32))
        )
        if fits:
            found.append((moment - EPOCH) // timedelta(microseconds=1))
    return found


near_changes = st.sampled_from(
    [
        ("Europe/Berlin", datetime(2026, 3, 28, 12)),
        ("Europe/Berlin", datetime(2026, 10, 24, 12)),
        ("America/New_York", datetime(2026, 10, 31, 12)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 3)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 3)),
        ("America/St_Johns", datetime(2006, 10, 28, 12)),
        ("Pacific/Apia", datetime(2011, 12, 29, 20)),
        ("America/Havana", datetime(2026, 10, 31, 12)),
        ("Asia/Ho_Chi_Minh", datetime(2026, 10, 24, 12)),
    ]
)


@settings(max_examples=50)
@given(near_changes, st.integers(0, 720), short_rules(), st.integers(0, 1440))
def test_hours_and_minutes_are_elapsed_time(
    near: tuple[str, datetime],
    later: int,
    short: tuple[str, dict[str, list[int]], int],
    after: int,
) -> None:
    zone, begin = near
    start = (begin + timedelta(minutes=later)).replace(tzinfo=UTC)
    text, parts, every = short
    wanted = walked(parts, every, text.startswith("FREQ=HOURLY"), start, zone, 2)
    start_us = (start - EPOCH) // timedelta(microseconds=1)
    try:
        read = recurrence(start_us, zone, text)
    except BadRecurrence:
        assert not wanted
        return
    end_us = start_us + 2 * DAY_US
    after_us = start_us - 1 + after * 60 * SECOND_US
    found = occurrences(read, after_us, 2 * 1440)
    assert [us for us in found if us < end_us] == [us for us in wanted if us > after_us]


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


any_rules = rules() | short_rules().map(lambda short: short[0])


@given(starts, st.sampled_from(ZONES), any_rules, st.integers(0, 400 * 86_400))
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

"""Recurrence rules in civil time, over every kind of clock change, and rules without an end."""

from zoneinfo import ZoneInfo

import pytest

from protocol.errors import BadRecurrence
from protocol.schedule.elapsed import Elapsed
from protocol.schedule.expansion import STEPS_MAX
from protocol.schedule.recurrence import WORK_MAX, Recurrence, occurrences, recurrence, upcoming
from protocol.schedule.rrule import parse
from protocol.times import format_us, parse_rfc3339

NEW_YEAR = "2026-01-01T00:00:00Z"


def made(start: str, zone: str | None, rule: str | None, *exclusions: str) -> Recurrence:
    return recurrence(parse_rfc3339(start), zone, rule, exclusions)


def due(
    start: str,
    zone: str,
    rule: str | None,
    count: int = 3,
    *exclusions: str,
    after: str | None = None,
) -> list[str]:
    """The next instants, to the minute, such as `03-29 01:30`."""
    schedule = made(start, zone, rule, *exclusions)
    after_us = schedule.start_us - 1 if after is None else parse_rfc3339(after)
    found = occurrences(schedule, after_us, count)
    return [format_us(us)[5:16].replace("T", " ") for us in found]


@pytest.mark.parametrize(
    ("start", "zone", "rule", "wanted"),
    [
        # 02:30 does not exist on 29 March; by the offset before the gap it is 03:30 (RFC 5545).
        (
            "2026-03-28T01:30:00Z",
            "Europe/Berlin",
            "FREQ=DAILY",
            ["03-28 01:30", "03-29 01:30", "03-30 00:30"],
        ),
        # 02:30 exists twice on 25 October; the first counts.
        (
            "2026-10-24T00:30:00Z",
            "Europe/Berlin",
            "FREQ=DAILY",
            ["10-24 00:30", "10-25 00:30", "10-26 01:30"],
        ),
        (
            "2026-03-07T07:30:00Z",
            "America/New_York",
            "FREQ=DAILY",
            ["03-07 07:30", "03-08 07:30", "03-09 06:30"],
        ),
        (
            "2026-10-31T05:30:00Z",
            "America/New_York",
            "FREQ=DAILY",
            ["10-31 05:30", "11-01 05:30", "11-02 06:30"],
        ),
        # A gap of half an hour: 02:15 does not exist on 4 October and becomes 02:45, at +11:00.
        (
            "2026-10-02T15:45:00Z",
            "Australia/Lord_Howe",
            "FREQ=DAILY",
            ["10-02 15:45", "10-03 15:45", "10-04 15:15"],
        ),
        (
            "2026-04-03T14:45:00Z",
            "Australia/Lord_Howe",
            "FREQ=DAILY",
            ["04-03 14:45", "04-04 14:45", "04-05 15:15"],
        ),
        (
            "2026-10-24T02:00:00Z",
            "Asia/Ho_Chi_Minh",
            "FREQ=DAILY",
            ["10-24 02:00", "10-25 02:00", "10-26 02:00"],
        ),
        # Samoa skipped 30 December 2011: its ten o'clock is that of the next day.
        (
            "2011-12-29T20:00:00Z",
            "Pacific/Apia",
            "FREQ=DAILY",
            ["12-29 20:00", "12-30 20:00", "12-31 20:00"],
        ),
        (
            "2026-03-28T23:30:00Z",
            "Europe/Berlin",
            "FREQ=HOURLY",
            ["03-28 23:30", "03-29 00:30", "03-29 01:30"],
        ),
        (
            "2026-01-30T09:00:00Z",
            "UTC",
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            ["01-31 09:00", "02-28 09:00", "03-31 09:00"],
        ),
        (
            "2026-01-05T09:00:00Z",
            "UTC",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR",
            ["01-05 09:00", "01-09 09:00", "01-19 09:00"],
        ),
    ],
)
def test_a_rule_repeats_in_the_civil_time_of_its_zone(
    start: str, zone: str, rule: str, wanted: list[str]
) -> None:
    assert due(start, zone, rule) == wanted


@pytest.mark.parametrize(
    ("start", "zone", "rule", "wanted"),
    [
        (
            "2026-10-24T23:30:00Z",
            "Europe/Berlin",
            "FREQ=HOURLY",
            ["10-24 23:30", "10-25 00:30", "10-25 01:30", "10-25 02:30"],
        ),
        (
            "2026-10-25T00:00:00Z",
            "Europe/Berlin",
            "FREQ=MINUTELY;INTERVAL=30",
            ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"],
        ),
        (
            "2026-10-25T00:00:00Z",
            "Europe/Berlin",
            "FREQ=HOURLY;BYMINUTE=0,30",
            ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"],
        ),
        (
            "2026-03-29T00:00:00Z",
            "Europe/Berlin",
            "FREQ=MINUTELY;INTERVAL=30",
            ["03-29 00:00", "03-29 00:30", "03-29 01:00", "03-29 01:30"],
        ),
        # Twelve hours are twelve hours: the clocks show 06:00 and 18:00, then 05:00 and 17:00.
        (
            "2026-10-24T04:00:00Z",
            "Europe/Berlin",
            "FREQ=HOURLY;INTERVAL=12",
            ["10-24 04:00", "10-24 16:00", "10-25 04:00", "10-25 16:00"],
        ),
        # Twenty days are 480 hours, whatever the clocks do: 01:00 summer time, midnight in winter.
        (
            "2026-10-09T23:00:00Z",
            "Europe/Berlin",
            "FREQ=HOURLY;INTERVAL=480",
            ["10-09 23:00", "10-29 23:00", "11-18 23:00", "12-08 23:00"],
        ),
        # 02:15 comes twice, and BYHOUR goes by what the clocks show.
        (
            "2026-10-24T22:15:00Z",
            "Europe/Berlin",
            "FREQ=HOURLY;BYHOUR=1,2,3",
            ["10-24 23:15", "10-25 00:15", "10-25 01:15", "10-25 02:15"],
        ),
        # A change by half an hour: the minute that the clocks show moves, the hour stays an hour.
        (
            "2026-04-04T14:15:00Z",
            "Australia/Lord_Howe",
            "FREQ=HOURLY",
            ["04-04 14:15", "04-04 15:15", "04-04 16:15", "04-04 17:15"],
        ),
        # Its BYMINUTE goes by what the clocks show: 01:45, 01:45 again, 02:15, 02:45.
        (
            "2026-04-04T14:45:00Z",
            "Australia/Lord_Howe",
            "FREQ=MINUTELY;BYMINUTE=15,45",
            ["04-04 14:45", "04-04 15:15", "04-04 15:45", "04-04 16:15"],
        ),
        # The clocks of St. John's went back from 00:01 to 23:01: the day before came again.
        (
            "2006-10-29T02:00:00Z",
            "America/St_Johns",
            "FREQ=MINUTELY;INTERVAL=15;BYDAY=SA",
            ["10-29 02:00", "10-29 02:15", "10-29 02:45", "10-29 03:00"],
        ),
        # Samoa skipped 30 December 2011, a Friday.
        (
            "2011-12-30T08:30:00Z",
            "Pacific/Apia",
            "FREQ=MINUTELY;INTERVAL=30",
            ["12-30 08:30", "12-30 09:00", "12-30 09:30", "12-30 10:00"],
        ),
    ],
)
def test_hours_and_minutes_are_elapsed_time(
    start: str, zone: str, rule: str, wanted: list[str]
) -> None:
    assert due(start, zone, rule, len(wanted)) == wanted


def test_a_time_that_a_gap_moves_onto_another_is_one_occurrence() -> None:
    """02:30 becomes 03:30, which is an occurrence already."""
    found = due("2026-03-29T00:30:00Z", "Europe/Berlin", "FREQ=DAILY;BYHOUR=1,2,3,4", 3)
    assert found == ["03-29 00:30", "03-29 01:30", "03-29 02:30"]


def test_without_a_rule_there_is_one_occurrence() -> None:
    assert due(NEW_YEAR, "UTC", None) == ["01-01 00:00"]
    assert due(NEW_YEAR, "UTC", None, after=NEW_YEAR) == []


def test_count_and_until_end_a_rule_also_when_asked_long_after() -> None:
    assert len(due(NEW_YEAR, "UTC", "FREQ=DAILY;COUNT=3", 9)) == 3
    after = "2026-01-02T12:00:00Z"
    assert due(NEW_YEAR, "UTC", "FREQ=DAILY;COUNT=3", 9, after=after) == ["01-03 00:00"]
    assert len(due(NEW_YEAR, "UTC", "FREQ=DAILY;UNTIL=20260103T000000Z", 9)) == 3
    assert len(due(NEW_YEAR, "Asia/Ho_Chi_Minh", "FREQ=DAILY;UNTIL=20260103", 9)) == 3
    assert due(NEW_YEAR, "UTC", "FREQ=DAILY;COUNT=3", after="2099-01-01T00:00:00Z") == []


def test_excluded_instants_and_days_are_left_out() -> None:
    found = due(NEW_YEAR, "UTC", "FREQ=DAILY", 2, "2026-01-02", "2026-01-03T01:00:00+01:00")
    assert found == ["01-01 00:00", "01-04 00:00"]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=2;UNTIL=20260101T000000Z",
        "FREQ=HOURLY;BYHOUR=25",
        "FREQ=DAILY;BYEASTER=0",
        "FREQ=DAILY;BYSECOND=7",
        "FREQ=DAILY\nEXDATE:20260101T000000Z",
        "DTSTART=20260101;FREQ=DAILY",
        "FREQ=DAILY;FREQ=WEEKLY",
        "INTERVAL=2",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;UNTIL=20250101T000000Z",
        "",
        "daily",
        "FREQ=DAILY;" + "X" * 600,
        "FREQ=DAİLY",
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_words(rule: str) -> None:
    with pytest.raises(BadRecurrence) as refused:
        made(NEW_YEAR, "UTC", rule)
    assert refused.value.field == "recurrence"
    assert refused.value.detail


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "", "CEST+1", "europe/berlin "])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(BadRecurrence) as refused:
        made(NEW_YEAR, zone, None)
    assert refused.value.field == "timezone"


@pytest.mark.parametrize("excluded", ["tomorrow", "2026-02-30", "2026-13-01T00:00:00Z", ""])
def test_an_exclusion_that_is_no_time_is_refused(excluded: str) -> None:
    with pytest.raises(BadRecurrence) as refused:
        made(NEW_YEAR, "UTC", "FREQ=DAILY", excluded)
    assert refused.value.field == "exclusions"


def test_a_search_in_vain_ends_after_a_bounded_number_of_steps() -> None:
    rule = parse("FREQ=MINUTELY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=30")
    search = Elapsed(rule, parse_rfc3339(NEW_YEAR), ZoneInfo("UTC"))
    assert list(search.days(739_000, 3_600_000)) == []
    assert search.spent <= 2 * STEPS_MAX


# Each occurrence comes after a thousand candidates without a match.
COSTLY = "FREQ=MINUTELY;INTERVAL=1439;BYHOUR=3;BYMINUTE=7"


@pytest.mark.parametrize("excluded", [0, 1, 2])
def test_what_is_hard_to_find_is_found_in_portions(excluded: int) -> None:
    bare = made(NEW_YEAR, "Africa/Lagos", COSTLY)
    times = occurrences(bare, bare.start_us, 30)
    left_out = [format_us(us)[:10] if n % 2 else format_us(us) for n, us in enumerate(times)]
    schedule = made(NEW_YEAR, "Africa/Lagos", COSTLY, *left_out[:excluded])
    found: list[int] = []
    through_us: int | None = schedule.start_us
    searches = 0
    while through_us is not None and len(found) < 30 - excluded:
        some = upcoming(schedule, through_us, 30 - excluded - len(found))
        assert len(some.instants) <= 1 + WORK_MAX // 1_000
        found += some.instants
        through_us = some.through_us
        searches += 1
    assert found == times[excluded:]
    assert searches >= 10


@pytest.mark.parametrize("last", ["COUNT=12", "UNTIL=20260110T000000Z"])
def test_a_search_says_where_there_is_no_more(last: str) -> None:
    schedule = made(NEW_YEAR, "UTC", f"FREQ=DAILY;{last}")
    some = upcoming(schedule, schedule.start_us, 5)
    assert some.through_us == some.instants[-1]
    assert len(some.instants) == 5
    assert upcoming(schedule, some.through_us, 100).through_us is None


@pytest.mark.parametrize(
    ("rule", "excluded", "field"),
    [
        # From the year 1 on it took five seconds of CPU time: each search begins at the start.
        (f"{COSTLY};COUNT=1000", 0, "recurrence"),
        # A hundred took two seconds: excluded occurrences did not count as spent work.
        (COSTLY, 20, "exclusions"),
    ],
)
def test_a_rule_that_would_take_long_is_refused(rule: str, excluded: int, field: str) -> None:
    bare = made("0002-01-01T00:00:00Z", "UTC", COSTLY)
    left_out = [format_us(us) for us in occurrences(bare, bare.start_us - 1, excluded)]
    with pytest.raises(BadRecurrence) as refused:
        made("0002-01-01T00:00:00Z", "UTC", rule, *left_out)
    assert refused.value.field == field


def test_a_long_count_of_everyday_parts_is_taken() -> None:
    for rule in ("DAILY;BYDAY=MO,TU", "MONTHLY;BYMONTHDAY=31", "WEEKLY;INTERVAL=2", "HOURLY"):
        assert made(NEW_YEAR, "Europe/Berlin", f"FREQ={rule};COUNT=1000")


def test_a_rule_is_kept_in_one_spelling() -> None:
    assert made(NEW_YEAR, None, "rrule:freq=daily;interval=02").rule == "FREQ=DAILY;INTERVAL=2"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;INTERVAL=2;",
        "FREQ=DAILY;INTERVAL=2\n",
        "RRULE:FREQ=DAILY;INTERVAL=2;\r\n",
        "\r\n RRULE:FREQ=DAILY;INTERVAL=2 ; \r\n\r\n",
        "rrule:freq=daily;inter\r\n val=2",
    ],
)
def test_a_rule_is_taken_as_calendars_write_it(rule: str) -> None:
    assert made(NEW_YEAR, None, rule).rule == "FREQ=DAILY;INTERVAL=2"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (
            "DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY",
            "DTSTART: the start and its time zone",
        ),
        ("DTSTART;TZID=Europe/Berlin:20260101T090000\nRRULE:FREQ=DAILY", "the start and its"),
        ("RRULE:FREQ=DAILY\r\nEXDATE:20260102T090000Z\r\n", "EXDATE: dates that are left out"),
        ("FREQ=DAILY;DTSTART=20260101T090000Z", "DTSTART: the start and its time zone"),
        ("FREQ=DAILY;TZID=Europe/Berlin", "TZID: the time zone is given apart"),
        (
            "FREQ=DAILY\nEXDATE;TZID=Europe/Berlin:20260102T090000",
            "EXDATE: dates that are left out",
        ),
        (
            "BEGIN:VEVENT\nRRULE:FREQ=DAILY\nEND:VEVENT",
            "BEGIN: of an event, send the value of RRULE",
        ),
        ("RRULE:FREQ=DAILY\nRDATE:20260102T090000Z", "RDATE: a further date needs a schedule"),
        ("RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY", "RRULE: a further rule needs a schedule"),
        ("FREQ=DAILY\nINTERVAL=2", "must be one line"),
    ],
)
def test_what_is_no_part_of_a_rule_is_told_where_it_belongs(rule: str, told: str) -> None:
    with pytest.raises(BadRecurrence) as refused:
        made(NEW_YEAR, "UTC", rule)
    assert refused.value.field == "recurrence"
    assert told in str(refused.value.detail)


def test_weeks_of_the_year_keep_the_weekday_of_the_start() -> None:
    rule = "FREQ=YEARLY;BYWEEKNO=2,3"
    assert due("2026-01-08T09:00:00Z", "UTC", rule, 4) == [
        "01-08 09:00",
        "01-15 09:00",
        "01-14 09:00",
        "01-21 09:00",
    ]
    every_day = due("2026-01-05T09:00:00Z", "UTC", f"{rule};BYDAY=MO,SU", 3)
    assert every_day == ["01-05 09:00", "01-11 09:00", "01-12 09:00"]


def test_asking_goes_on_where_it_ended() -> None:
    schedule = made("2026-03-20T01:30:00Z", "Europe/Berlin", "FREQ=HOURLY;INTERVAL=5")
    whole = occurrences(schedule, schedule.start_us - 1, 100)
    first = occurrences(schedule, schedule.start_us - 1, 40)
    assert first + occurrences(schedule, first[-1], 60) == whole
    assert whole == sorted(set(whole))

"""Times in JSON and from devices: `protocol.times`."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Reason, Refusal
from protocol.times import EPOCH, format_us, parse_device_time, parse_rfc3339

NOW = 1_790_000_000_000_000


@given(st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1)))
def test_a_time_survives_the_wire_to_the_microsecond(moment: datetime) -> None:
    us = (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert parse_rfc3339(format_us(us)) == us


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z"),
        ("2026-01-01t07:00:00.5+07:00", "2026-01-01T00:00:00.500000Z"),
        ("2025-12-31T19:00:00.1234567-05:00", "2026-01-01T00:00:00.123456Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ("0042-01-01T00:00:00Z", "0042-01-01T00:00:00.000000Z"),
    ],
)
def test_rfc_3339_in_all_its_spellings(text: str, same: str) -> None:
    assert format_us(parse_rfc3339(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:00+25:00",
        "20260101T000000Z",
        "2026-01-01T24:00:00Z",
        "٢٠٢٦-01-01T00:00:00Z",
    ],
)
def test_what_is_not_rfc_3339_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rfc3339(text)


@pytest.mark.parametrize(
    ("raw", "us"),
    [
        (1_790_000_000, NOW),
        (1_790_000_000.25, NOW + 250_000),
        (1_790_000_000_000, NOW),
        (1_790_000_000_000.25, NOW + 250),
        (1_790_000_000_000_250, NOW + 250),
        (1_790_000_000_000_250_999, NOW + 250),
        (1.79e15, NOW),
        (1.79e18, NOW),
        ("1790000000", NOW),
        ("1790000000.25", NOW + 250_000),
        ("1790000000000250999", NOW + 250),
        (99_999_999_999, None),  # still seconds: in the year 5138
        (100_000_000_000, None),  # milliseconds, of 1973
        (100_000_000_000_000, None),  # microseconds, of 1973
        (100_000_000_000_000_000, None),  # nanoseconds, of 1973
        ("2026-09-21T14:13:20Z", NOW),
    ],
)
def test_a_device_may_say_rfc_3339_or_a_unix_time_in_any_unit(raw: object, us: int | None) -> None:
    if us is None:
        with pytest.raises(Refusal):
            parse_device_time(raw, NOW)
    else:
        assert parse_device_time(raw, NOW) == us


@pytest.mark.parametrize(
    "raw",
    [
        True,
        [],
        {},
        "soon",
        0,
        -1,
        1e300,
        10**30,
        10**400,
        float("nan"),
        float("inf"),
        "1" * 21,
        "1_0",
        "1999-12-31T23:59:59Z",
    ],
)
def test_dates_that_cannot_be_are_refused(raw: object) -> None:
    with pytest.raises(Refusal):
        parse_device_time(raw, NOW)


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (0, "ts is 1970-01-01T00:00:00.000000Z, before 2000-01-01"),
        (-1, "ts is 1969-12-31T23:59:59.000000Z, before 2000-01-01"),
        ("1999-12-31T23:59:59Z", "ts is 1999-12-31T23:59:59.000000Z, before 2000-01-01"),
        (
            1_790_000_301,
            "ts is 2026-09-21T14:18:21.000000Z, more than five minutes in the future of"
            " 2026-09-21T14:13:20.000000Z",
        ),
        (1e300, "ts is outside the years 1 to 9999"),
        (-1e308, "ts is outside the years 1 to 9999"),  # in microseconds it is infinite
        ("soon", "'soon' is not an RFC 3339 time such as 2026-01-31T08:05:00Z"),
    ],
)
def test_a_time_out_of_range_is_told_as_a_date(raw: object, detail: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_device_time(raw, NOW)
    assert (caught.value.reason, caught.value.detail) == (Reason.BAD_TIME, detail)


def test_a_clock_may_run_five_minutes_ahead_and_no_more() -> None:
    ahead = 1_790_000_000 + 300
    assert parse_device_time(ahead, NOW) == ahead * 1_000_000
    with pytest.raises(Refusal):
        parse_device_time(ahead + 1, NOW)

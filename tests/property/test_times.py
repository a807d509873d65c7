"""Times: what is written is read, and a device's time lies within the contract or is refused."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.errors import Reason, Refusal
from protocol.times import (
    AHEAD_US,
    EARLIEST_US,
    EPOCH,
    FIRST_US,
    LAST_US,
    SECOND_US,
    format_us,
    parse_device_time,
    parse_rfc3339,
)
from tests.property.outcomes import outcome
from tests.property.strategies import NOW, STAMPS, any_text, json_values, numeric_texts

instants = st.integers(FIRST_US, LAST_US) | st.integers(NOW - 10**9, NOW + 10**9)
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59)
nearly_times = st.from_regex(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", fullmatch=True
)


@given(instants)
def test_an_instant_is_read_as_it_was_written(us: int) -> None:
    text = format_us(us)
    assert len(text) == len("2026-01-31T08:05:00.000000Z")
    assert parse_rfc3339(text) == us
    assert text.endswith("Z") and datetime.fromisoformat(text) == EPOCH + timedelta(microseconds=us)


@given(st.lists(instants, min_size=2, max_size=2))
def test_times_sort_as_their_texts_do(pair: list[int]) -> None:
    assert sorted(pair) == [parse_rfc3339(text) for text in sorted(map(format_us, pair))]


@given(st.datetimes(datetime(1900, 1, 2), datetime(2900, 1, 1)), offsets)
def test_a_zone_is_taken_off(moment: datetime, minutes: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    us = (zoned.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)
    assert parse_rfc3339(zoned.isoformat()) == us


@settings(max_examples=120)
@given(nearly_times | any_text)
def test_any_text_is_an_instant_or_a_value_error(text: str) -> None:
    us = outcome(ValueError, parse_rfc3339, text)
    # A day's offset and a leap second beyond the years that can be written.
    day_us = 86_401 * SECOND_US
    assert isinstance(us, ValueError) or FIRST_US - day_us <= us <= LAST_US + day_us


@settings(max_examples=150)
@given(STAMPS["ts"] | numeric_texts | nearly_times | json_values | st.floats(), instants)
@example(-1e308, NOW)
@example(1e308, NOW)
@example(float("nan"), NOW)
def test_any_time_of_a_device_lies_within_the_contract_or_is_refused(raw: Any, now_us: int) -> None:
    us = outcome(Refusal, parse_device_time, raw, now_us)
    if isinstance(us, Refusal):
        assert us.reason == Reason.BAD_TIME and us.detail
    else:
        assert type(us) is int
        assert EARLIEST_US <= us <= now_us + AHEAD_US


@given(st.integers(EARLIEST_US, NOW), st.integers(0, 999))
def test_a_unix_time_counts_in_the_unit_of_its_magnitude(unix_us: int, ns: int) -> None:
    # Milliseconds from 10¹¹ on: those before 1973 would be seconds of the year 5138.
    unix_ms = unix_us // 1000
    for written in (unix_us, unix_us * 1000 + ns, str(unix_us), f"{unix_us * 1000 + ns}"):
        assert parse_device_time(written, NOW) == unix_us
    assert abs(parse_device_time(float(unix_us * 1000), NOW) - unix_us) <= 1
    assert parse_device_time(unix_ms, NOW) == unix_ms * 1000
    assert parse_device_time(unix_ms // 1000, NOW) == unix_ms // 1000 * SECOND_US
    assert parse_device_time(format_us(unix_ms * 1000), NOW) == unix_ms * 1000

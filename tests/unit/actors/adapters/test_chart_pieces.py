"""What of a chart comes from hours, what from minutes, and what from readings."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from actors.adapters.postgres.chart_pieces import HOURS, MINUTES, READINGS, pieces_of
from protocol.rest.charts import HOUR_US, MINUTE_US, ragged_hours

NONE: list[int] = []


def test_minutes_that_expired_are_made_of_readings_and_hours_of_hours() -> None:
    end_us, since_us = 9 * HOUR_US, 5 * HOUR_US
    by_minutes = pieces_of(0, end_us, None, since_us, None)
    assert by_minutes == [(READINGS, 0, since_us), (MINUTES, since_us, end_us)]
    assert pieces_of(0, end_us, None, since_us, NONE) == [(HOURS, 0, end_us)]


def test_only_the_hour_in_which_a_day_begins_is_not_taken_from_the_hours() -> None:
    """A year of days in India was made of half a million minutes."""
    midnight_us = 5 * HOUR_US + 30 * MINUTE_US
    ragged = ragged_hours(0, 9 * HOUR_US, 86_400, [0, midnight_us])
    assert ragged == [5 * HOUR_US]
    assert pieces_of(0, 9 * HOUR_US, None, 0, ragged) == [
        (HOURS, 0, 5 * HOUR_US),
        (MINUTES, 5 * HOUR_US, 6 * HOUR_US),
        (HOURS, 6 * HOUR_US, 9 * HOUR_US),
    ]


def test_a_bucket_of_ninety_minutes_has_one_whole_hour() -> None:
    assert ragged_hours(0, 6 * HOUR_US, 5_400) == [HOUR_US, 4 * HOUR_US]
    assert ragged_hours(0, 6 * HOUR_US, 7_200) == []


@given(
    st.integers(0, 20 * HOUR_US),
    st.integers(1, 20 * HOUR_US),
    st.none() | st.integers(0, 2_400).map(lambda n: n * MINUTE_US),
    st.integers(0, 40).map(lambda n: n * HOUR_US),
    st.sampled_from([60, 1_800, 3_600, 3_660, 5_400, 86_400]),
)
def test_pieces_have_no_gap_and_take_from_sums_only_what_they_have(
    start_us: int, length_us: int, fresh_us: int | None, since_us: int, bucket_s: int
) -> None:
    end_us = start_us + length_us
    ragged = ragged_hours(start_us, end_us, bucket_s) if bucket_s >= 3_600 else None
    pieces = pieces_of(start_us, end_us, fresh_us, since_us, ragged)
    assert (pieces[0][1], pieces[-1][2]) == (start_us, end_us)
    assert all(a[2] == b[1] and a[0] != b[0] for a, b in pairwise(pieces))
    for source, since, until in pieces:
        assert since < until
        if source != READINGS:
            unit_us = HOUR_US if source == HOURS else MINUTE_US
            assert since % unit_us == until % unit_us == 0
            assert fresh_us is None or until <= fresh_us
        if source == MINUTES:
            assert since >= since_us
        if source == HOURS:
            assert ragged is not None
            assert not any(since <= hour < until for hour in ragged)

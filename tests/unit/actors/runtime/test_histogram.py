"""Counts of values in fixed buckets."""

import pytest

from actors.runtime.histogram import Histogram


def test_a_value_counts_in_the_first_bucket_that_holds_it() -> None:
    values = Histogram((1, 2, 5))
    for value in (0.5, 1, 1.5, 2, 5, 5.5):
        values.add(value)
    assert values.counts == [2, 2, 1, 1]
    assert values.total == pytest.approx(15.5)


def test_a_value_may_count_several_times() -> None:
    values = Histogram((1, 2))
    values.add(1.5, times=3)
    assert values.counts == [0, 3, 0]
    assert values.total == pytest.approx(4.5)


def test_quantiles_are_bounds_of_buckets() -> None:
    values = Histogram((1, 2))
    assert values.quantile(0.5) == 0
    for value in (0.5, 0.5, 1.5, 9):
        values.add(value)
    assert [values.quantile(share) for share in (0.5, 0.75, 0.99)] == [1, 2, float("inf")]

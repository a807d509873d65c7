"""Sums that no float64 holds, and numbers at its edges: no query fails for what readings are."""

import sys
from collections.abc import AsyncIterator, Sequence
from fractions import Fraction
from typing import Any

import pytest

from protocol.device.values import digest64
from protocol.records import Reading
from protocol.rest.charts import Bucket
from tests.contract.test_store import Home, of
from tests.unit.makers import NOW, SECOND, USER, some_feed

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
MAX, TINY = sys.float_info.max, 5e-324
DAY_START = NOW - NOW % DAY - 10 * DAY  # long ago: nothing of it is fresh

# The readings of some minutes: of each minute the values.
CASES: dict[str, Sequence[Sequence[float]]] = {
    "one minute": [[1e308, 1.1e308]],
    "two minutes of an hour": [[1e308], [1.1e308]],
    "two whole minutes": [[1e308, 1.1e308], [1.2e308, 1.3e308]],
    "the largest": [[1.7e308] * 7, [MAX] * 5],
    "the most negative": [[-MAX, -MAX], [-1.7e308]],
    "they cancel out": [[MAX, MAX], [-MAX, -MAX], [1.5]],
    "between the ends": [[MAX, -MAX, 3.0]],
    "large and small": [[1e308, 1.0], [1e-300, 1e308, 2.5]],
    "subnormal": [[TINY, TINY, 0.0], [TINY]],
    "the sum is as large as can be": [[MAX / 2, MAX / 2]],
    "ordinary": [[0.1, 0.2, 0.3], [21.5], [-40.25, 1e15]],
}


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


def readings_of(home: Home, minutes: Sequence[Sequence[float]]) -> list[Reading]:
    return [
        home.reading(value, DAY_START + n * MINUTE + place * SECOND)
        for n, values in enumerate(minutes)
        for place, value in enumerate(values)
    ]


def check(bucket: Bucket, values: Sequence[float]) -> None:
    """Held against exact fractions."""
    exact = sum(map(Fraction, values), Fraction(0))
    mean = exact / len(values)
    assert (bucket.count, bucket.min, bucket.max) == (len(values), min(values), max(values))
    largest = max(map(abs, values))
    slack = Fraction(max(largest * 1e-12, 1e-323))
    assert abs(Fraction(bucket.avg) - mean) <= slack
    assert bucket.min <= bucket.avg <= bucket.max
    if abs(exact) > Fraction(MAX):
        assert bucket.sum is None
    else:
        assert bucket.sum is not None
        assert abs(Fraction(bucket.sum) - exact) <= slack * len(values)


async def check_everywhere(home: Home, minutes: Sequence[Sequence[float]]) -> None:
    """By minutes, by hours, by days, by seconds; of the feed and of the user."""
    num = home.feeds["number"].num
    end = DAY_START + DAY
    everything = [value for values in minutes for value in values]
    for bucket_s in (3600, 86400, 7 * 86400):
        (bucket,) = await home.store.feed_buckets(num, DAY_START, end, bucket_s)
        check(bucket, everything)
    each = await home.store.feed_buckets(num, DAY_START, end, 60)
    for bucket, values in zip(each, minutes, strict=True):
        check(bucket, values)
    raw = await home.store.feed_buckets(num, DAY_START, end, 59)
    assert sum(bucket.count for bucket in raw) == len(everything)
    for bucket_s in (600, 3600, 86400):
        (bucket,) = await home.store.user_buckets(USER, DAY_START, end, bucket_s)
        check(bucket, everything)


@pytest.mark.parametrize("name", CASES)
async def test_count_min_max_and_mean_are_right_at_every_level(home: Home, name: str) -> None:
    await home.commit(of(*readings_of(home, CASES[name])))
    while await home.store.roll_up(10):
        pass
    await check_everywhere(home, CASES[name])


@pytest.mark.parametrize("name", ["two whole minutes", "they cancel out", "subnormal"])
async def test_they_are_right_when_the_sums_are_made_later(home: Home, name: str) -> None:
    """Some of it is summed up, the rest is late; nothing waits for the sums."""
    readings = readings_of(home, CASES[name])
    await home.commit(of(*readings[::2]))
    while await home.store.roll_up(10):
        pass
    await home.store.add_history(home.feeds["number"], readings[1::2])
    await check_everywhere(home, CASES[name])


async def test_two_feeds_of_one_user_overflow_together(home: Home) -> None:
    other = await home.store.add_feed(some_feed("other", 9))
    for num, value in ((home.feeds["number"].num, 1e308), (other.num, 1.1e308)):
        reading = Reading(num, home.device.num, DAY_START, digest64(value), value)
        await home.commit(of(reading))
    assert await home.store.roll_up(10) == 0
    for bucket_s in (60, 3600, 86400):
        (bucket,) = await home.store.user_buckets(USER, DAY_START, DAY_START + DAY, bucket_s)
        check(bucket, [1e308, 1.1e308])


async def test_ordinary_sums_are_exactly_what_they_were(home: Home) -> None:
    """Plain addition in the order of time: 0.1 + 0.2 + 0.3."""
    await home.commit(of(*readings_of(home, [[0.1, 0.2, 0.3]])))
    assert await home.store.roll_up(10) == 0
    num = home.feeds["number"].num
    (bucket,) = await home.store.feed_buckets(num, DAY_START, DAY_START + HOUR, 60)
    assert (bucket.sum, bucket.avg) == (0.1 + 0.2 + 0.3, (0.1 + 0.2 + 0.3) / 3)

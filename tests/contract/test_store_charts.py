"""What every store promises of many readings at once: PostgreSQL and its memory twin."""

import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.adapters.memory.store import charts as memory_charts
from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.postgres import chart_queries, history_deletion
from actors.adapters.postgres.rollups import expiry
from actors.due.retention import Retention
from actors.ports.store import FeedPage
from protocol.device.values import digest64
from protocol.errors import Invalid
from protocol.records import DeviceState, Reading, StateChange
from protocol.rest import charts
from protocol.rest.charts import Bucket
from protocol.rest.stats import Counts
from protocol.times import EPOCH
from tests.contract.test_store import Home, of
from tests.contract.test_store_alarms import alarm
from tests.contract.test_store_schedules import some_schedule
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER, some_feed

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
EVER = 100 * 365 * DAY


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


def truth(readings: dict[int, float], start_us: int, end_us: int, bucket_s: int) -> list[Bucket]:
    inside = [(ts, v) for ts, v in readings.items() if start_us <= ts < end_us]
    return charts.summed(inside, bucket_s)


async def rolled(home: Home) -> None:
    while await home.store.roll_up(3):
        pass


async def stored(home: Home, readings: dict[int, float]) -> None:
    items = list(readings.items())
    for start in range(0, len(items), 100):
        chunk = items[start : start + 100]
        await home.commit(of(*(home.reading(value, ts) for ts, value in chunk)))


async def totals_hold(home: Home) -> None:
    """The dashboard's totals equal the readings, before and after everything is summed up."""
    day = NOW - NOW % DAY
    found: list[tuple[int, float]] = []
    for feed in await home.store.feeds(USER, 1_000, 0):
        page = FeedPage(feed_num=feed.num, limit=10_000)
        for reading in await home.store.feed_values(page):
            if not isinstance(reading.value, str):
                found.append((reading.ts_us, float(reading.value)))
    for _ in range(2):
        for bucket_s, start in (
            (600, day - 4 * DAY),
            (3600, day - 4 * DAY),
            (86400, day - 4 * DAY),
        ):
            end = day + 2 * DAY
            totals = await home.store.user_buckets(USER, start, end, bucket_s)
            inside = sorted((ts, v) for ts, v in found if start <= ts < end)
            assert about(totals) == about(charts.summed(inside, bucket_s))
        await rolled(home)


def about(buckets: list[Bucket]) -> list[tuple[Any, ...]]:
    return [(b.ts_us, b.count, round(b.sum or 0.0, 6), b.min, b.max) for b in buckets]


async def test_buckets_are_those_of_the_readings_whatever_is_summed_up(home: Home) -> None:
    """Long ago and just now, before and after the sums are made, with ragged ends."""
    rng = random.Random(5)
    now_us = time.time_ns() // 1000  # a database counts what is fresh by its own clock
    begin = now_us - 3 * DAY
    readings = {rng.randrange(begin, now_us): round(rng.uniform(-50, 50), 3) for _ in range(1_500)}
    await stored(home, dict(list(readings.items())[:1_000]))
    await rolled(home)
    await stored(home, dict(list(readings.items())[1_000:]))  # late ones, too
    await rolled(home)
    fresh = {now_us + n: float(n) for n in range(20)}
    await stored(home, fresh)
    readings |= fresh
    num = home.feeds["number"].num
    for bucket_s in (7, 60, 300, 3600, 7200, 86400):
        for start, end in (
            (begin, now_us + SECOND),
            (begin + 12_345_678, now_us - 98_765_432),
            (now_us - 50 * SECOND, now_us + SECOND),
            (begin + 10, begin + 20),
        ):
            found = await home.store.feed_buckets(num, start, end, bucket_s)
            assert about(found) == about(truth(readings, start, end, bucket_s))


# Each has a day of 23 or 25 hours, or midnights that are no whole hours of UTC.
@pytest.mark.parametrize(
    ("zone", "first_day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 28), [24, 23, 24, 24]),
        ("Europe/Berlin", date(2025, 10, 25), [24, 25, 24, 24]),
        ("America/New_York", date(2026, 3, 7), [24, 23, 24, 24]),
        ("Australia/Lord_Howe", date(2026, 4, 4), [24, 24.5, 24, 24]),
        ("America/Havana", date(2026, 3, 7), [24, 23, 24, 24]),
        ("Asia/Kolkata", date(2026, 3, 28), [24, 24, 24, 24]),
        ("Asia/Ho_Chi_Minh", date(2026, 3, 28), [24, 24, 24, 24]),
    ],
)
async def test_civil_days_of_a_zone_are_those_of_the_readings(
    home: Home, zone: str, first_day: date, hours: list[float]
) -> None:
    """Before and after the sums are made, and where minutes expired: a reading every half hour, for
    four days."""
    days = [datetime.combine(first_day + timedelta(n), clock(), ZoneInfo(zone)) for n in range(5)]
    begins = [(day - EPOCH) // timedelta(microseconds=1) for day in days]
    start, end = begins[0], begins[-1]
    assert [(b - a) / HOUR for a, b in pairwise(begins)] == hours
    readings = {us + SECOND: float(n) for n, us in enumerate(range(start, end, 30 * MINUTE))}
    await stored(home, readings)
    num = home.feeds["number"].num
    starts = charts.civil_starts(start + 7 * HOUR, end, 86_400, ZoneInfo(zone))
    assert starts == begins[:-1]
    for _ in range(3):
        found = await home.store.feed_buckets(num, start, end, 86_400, starts)
        assert [b.ts_us for b in found] == starts
        assert [b.count for b in found] == [2 * each for each in hours]
        assert sum(b.sum or 0 for b in found) == sum(readings.values())
        assert await home.store.user_buckets(USER, start, end, 86_400, starts) == found
        ragged = await home.store.feed_buckets(num, start + 7 * HOUR, end - HOUR, 86_400, starts)
        assert [b.count for b in ragged] == [34, *(2 * each for each in hours[1:3]), 46]
        if await home.store.roll_up(100) == 0:
            await home.store.expire_minute_sums(begins[2])


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2090, 1, 1)),
    st.integers(1, 400 * 24 * 60),
    st.sampled_from([1, 2, 7, 30, 365]),
    st.sampled_from(["Europe/Berlin", "Pacific/Apia", "America/St_Johns", "Asia/Kolkata"]),
)
def test_civil_buckets_begin_at_the_midnights_of_the_zone(
    begin: datetime, minutes: int, days: int, zone: str
) -> None:
    start = (begin.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    end = start + minutes * MINUTE
    starts = charts.civil_starts(start, end, days * 86_400, ZoneInfo(zone))
    assert starts[0] <= start and starts[-1] < end
    assert starts == sorted(set(starts))
    for us in starts:
        shown = (EPOCH + timedelta(microseconds=us)).astimezone(ZoneInfo(zone))
        assert (shown.hour, shown.minute, shown.second) == (0, 0, 0) or days > 1 or _gap(shown)
    longest = (days + 1) * DAY
    assert all(b - a <= longest for a, b in pairwise([*starts, end]))


def _gap(shown: datetime) -> bool:
    """Whether its midnight was skipped."""
    midnight = shown.replace(hour=0, minute=0, second=0)
    return midnight.astimezone(UTC).astimezone(shown.tzinfo).hour != 0


async def test_what_a_user_has_is_the_sum_of_their_feeds(home: Home) -> None:
    await home.commit(of(home.reading(1.0), home.reading(True), home.reading("text")))
    await home.commit(of(home.reading(4.0, NOW + 70 * SECOND)))
    await rolled(home)
    minute = NOW - NOW % MINUTE
    day = await home.store.user_buckets(USER, NOW - NOW % DAY, NOW - NOW % DAY + DAY, 86400)
    assert about(day) == [(NOW - NOW % DAY, 3, 6.0, 1.0, 4.0)]
    each = await home.store.user_buckets(USER, minute, minute + HOUR, 60)
    assert [(b.count, b.sum) for b in each] == [(2, 2.0), (1, 4.0)]
    assert await home.store.user_buckets(OTHER_USER, minute, minute + HOUR, 60) == []


async def test_bounds_are_the_first_and_the_last(home: Home) -> None:
    num = home.feeds["number"].num
    assert await home.store.feed_bounds(num) is None
    await stored(home, {NOW + 5: 1.0, NOW - 9 * DAY: 2.0, NOW: 3.0})
    assert await home.store.feed_bounds(num) == (NOW - 9 * DAY, NOW + 5)


async def test_last_values_come_in_the_order_asked(home: Home) -> None:
    await home.commit(of(home.reading(1.5), home.reading(True)))
    ids = [home.feeds[kind].id for kind in ("bool", "text", "number")]
    found = await home.store.last_values(USER, [*ids, "00000000-0000-4000-8000-00000000dead"])
    assert [feed.last_value for feed in found] == [True, None, 1.5]
    assert await home.store.last_values(OTHER_USER, ids) == []


async def test_history_is_added_once(home: Home) -> None:
    feed = home.feeds["number"]
    news = [Reading(feed.num, 0, NOW + n, digest64(float(n)), float(n)) for n in range(3)]
    assert await home.store.add_history(feed, news) == 0
    assert await home.store.add_history(feed, news[1:]) == 2
    assert await home.values() == [(2, 2.0), (1, 1.0), (0, 0.0)]
    assert await home.last() == (2.0, NOW + 2)
    await rolled(home)
    (bucket,) = await home.store.feed_buckets(feed.num, NOW - HOUR, NOW + HOUR, 86400)
    assert bucket.count == 3


async def test_deleted_history_is_in_no_list_and_no_chart(home: Home) -> None:
    num = home.feeds["number"].num
    minute = NOW - NOW % MINUTE
    readings = {minute + n * 20 * SECOND: float(n) for n in range(30)}
    await stored(home, readings)
    await home.commit(of(home.reading(True)))
    await rolled(home)
    start, end = minute + 70 * SECOND, minute + 500 * SECOND
    gone = [ts for ts in readings if start <= ts < end]
    assert await home.store.delete_history(num, start, end) == len(gone)
    assert await home.store.delete_history(num, start, end) == 0
    await rolled(home)
    for ts in gone:
        del readings[ts]
    for bucket_s in (60, 3600):
        found = await home.store.feed_buckets(num, NOW - DAY, NOW + DAY, bucket_s)
        assert about(found) == about(truth(readings, NOW - DAY, NOW + DAY, bucket_s))
    assert (await home.last())[0] == 29.0
    assert await home.store.delete_history(num, minute + 501 * SECOND, None) == 4
    assert (await home.last())[0] == 25.0
    assert await home.store.delete_history(num, None, None) == 5
    assert await home.last() == (None, None)
    await rolled(home)
    assert await home.store.feed_buckets(num, NOW - DAY, NOW + DAY, 3600) == []
    user = await home.store.user_buckets(USER, minute - HOUR, minute + HOUR, 60)
    assert [b.count for b in user] == [1]  # the bool


async def test_what_a_feed_keeps_no_longer_goes(home: Home) -> None:
    feed = home.feeds["number"]
    await home.store.update_feed(msgspec.structs.replace(feed, retain_days=2))
    kept = await home.store.feed(USER, feed.id)
    assert kept is not None
    assert kept.retain_days == 2
    await stored(home, {NOW - 3 * DAY: 1.0, NOW - DAY: 2.0, NOW: 3.0})
    await home.commit(of(home.reading(True, NOW - 3 * DAY)))
    await rolled(home)
    assert await Retention(home.store).run(NOW) == 1
    assert await Retention(home.store).run(NOW) == 0
    assert await home.values() == [(0, 3.0), (-DAY, 2.0)]
    assert await home.values("bool") == [(-3 * DAY, True)]
    await totals_hold(home)


@pytest.mark.parametrize("summed_up", [True, False])
async def test_a_feed_that_is_deleted_leaves_no_sums_and_no_totals(
    home: Home, summed_up: bool
) -> None:
    await home.commit(of(home.reading(1.0), home.reading(True), home.reading(5.0, NOW - 3 * DAY)))
    if summed_up:
        await rolled(home)
    feed = home.feeds["number"]
    await home.store.delete_feed(USER, feed.id)
    assert await home.store.feed_buckets(feed.num, NOW - DAY, NOW + DAY, 3600) == []
    await totals_hold(home)


async def test_a_device_that_is_deleted_with_its_history_leaves_no_totals(home: Home) -> None:
    await home.commit(of(home.reading(1.0), home.reading(True), home.reading(5.0, NOW - 3 * DAY)))
    shared = await home.store.add_feed(some_feed("shared", 9, device_id=None))
    other = Reading(shared.num, 0, NOW, digest64(7.0), 7.0)
    await home.store.add_history(shared, [other])
    await rolled(home)
    await home.store.delete_device(USER, home.device.id, purge=True)
    await totals_hold(home)
    (left,) = await home.store.user_buckets(USER, NOW - DAY, NOW + DAY, 30 * 86400)
    assert left.sum == 7.0


@pytest.mark.parametrize("seed", range(4))
async def test_totals_and_charts_equal_the_readings_at_every_moment(
    home: Home, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readings of now, late ones, imports, deletions, sums made in between, and minutes that
    expire, in any order."""
    monkeypatch.setattr(expiry, "GRACE", "0 s")
    if seed % 2:
        monkeypatch.setattr(chart_queries, "LATE_MAX", 3)
        monkeypatch.setattr(chart_queries, "SPANS", 30)
    rng = random.Random(seed)
    feed = home.feeds["number"]
    now_us = time.time_ns() // 1000  # a database takes for late what its own clock says
    begin = now_us - 2 * DAY
    readings: dict[int, float] = {}
    for _ in range(25):
        match rng.choice(("now", "late", "import", "delete", "roll up", "expire")):
            case "now":
                new = {now_us + rng.randrange(-60 * SECOND, SECOND): float(rng.randrange(100))}
                await stored(home, new)
                readings |= new
            case "late":
                new = {rng.randrange(begin, now_us): float(rng.randrange(100)) for _ in range(9)}
                await stored(home, new)
                readings |= new
            case "import":
                first = rng.randrange(begin, now_us)
                new = {first + n * 20 * SECOND: float(n) for n in range(30)}
                news = [Reading(feed.num, 0, ts, digest64(v), v) for ts, v in new.items()]
                await home.store.add_history(feed, news)
                readings |= new
            case "delete":
                start = rng.randrange(begin, now_us)
                end = start + rng.choice((10 * SECOND, 5 * MINUTE, 9 * HOUR))
                await home.store.delete_history(feed.num, start, end)
                readings = {ts: v for ts, v in readings.items() if not start <= ts < end}
            case "expire":
                await home.store.expire_minute_sums(now_us - rng.randrange(3 * DAY))
            case _:
                await home.store.roll_up(2)
        for bucket_s in (60, 3600, 5400):
            first, last = begin + rng.randrange(DAY), now_us + HOUR
            chart = await home.store.feed_buckets(feed.num, first, last, bucket_s)
            assert about(chart) == about(truth(readings, first, last, bucket_s))
            first, last = first // MINUTE * MINUTE, last // MINUTE * MINUTE
            totals = await home.store.user_buckets(USER, first, last, bucket_s)
            assert about(totals) == about(truth(readings, first, last, bucket_s))


async def test_a_chart_with_very_many_late_minutes_equals_the_readings(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart_queries, "LATE_MAX", 20)
    monkeypatch.setattr(chart_queries, "SPANS", 5)
    feed = home.feeds["number"]
    day = NOW - NOW % DAY - 3 * DAY
    first = {day + n * 7 * MINUTE: float(n) for n in range(100)}
    await stored(home, first)
    await rolled(home)
    late = {day + n * 5 * MINUTE + SECOND: float(n) for n in range(100)}
    news = [Reading(feed.num, 0, ts, digest64(v), v) for ts, v in late.items()]
    await home.store.add_history(feed, news)
    everything = first | late
    for bucket_s in (60, 3600, 86400):
        wanted = about(truth(everything, day, day + DAY, bucket_s))
        assert about(await home.store.feed_buckets(feed.num, day, day + DAY, bucket_s)) == wanted
        assert about(await home.store.user_buckets(USER, day, day + DAY, bucket_s)) == wanted


@given(st.integers(0, EVER), st.integers(1, EVER), st.integers(1, 10_000))
def test_a_chart_has_never_more_points_than_asked_for(start: int, length: int, many: int) -> None:
    bucket_s = charts.bucket_for(start, start + length, many)
    points = charts.points_of(start, start + length, bucket_s)
    # Two points may be needed for any two instants, however long the bucket.
    assert points <= max(many, 2) or many == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604_800), ("3650d", 315_360_000)],
)
def test_a_bucket_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert charts.bucket_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "1", "m", "1w", "-1m", "1.5h", "9999999d", "１m"])
def test_what_is_no_bucket_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        charts.bucket_of(text)


async def test_what_a_dashboard_counts(home: Home) -> None:
    assert await home.store.dashboard_counts(OTHER_USER, NOW, NOW + DAY) == Counts()
    online = DeviceState(version=1, status="online", last_seen_us=NOW)
    state = StateChange(home.device.num, online)
    await home.commit(of(state=state, alarms=(alarm(home), alarm(home, 2, state="cleared"))))
    later = some_schedule(2, media_id=None, enabled=False)
    await home.store.add_schedule(some_schedule(media_id=None), [NOW + HOUR, NOW + 3 * DAY])
    await home.store.add_schedule(later, [])
    assert await home.store.dashboard_counts(USER, NOW, NOW + DAY) == Counts(
        devices=1,
        online=1,
        open_alarms=1,
        schedules=2,
        enabled_schedules=1,
        occurrences={"pending": 1},
        next_us=NOW + HOUR,
    )


async def test_what_feeds_keep_no_longer_goes_feed_by_feed_and_goes_on_where_it_stopped(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call had a deadline and began with the first feed each time: the last never came."""
    for module in (history_deletion, memory_charts):
        monkeypatch.setattr(module, "FEEDS_AT_ONCE", 2)
    nums = []
    for n in range(20, 27):
        keeps = None if n == 22 else 1
        feed = await home.store.add_feed(some_feed(f"f{n}", n, retain_days=keeps))
        nums.append(feed.num)
        old = Reading(feed.num, 0, NOW - 3 * DAY, digest64(1.0), 1.0)
        new = Reading(feed.num, 0, NOW, digest64(2.0), 2.0)
        await home.store.add_history(feed, [old, new])
    first = await home.store.expire_history(NOW)
    assert (first.deleted, first.after) == (2, nums[1])
    second = await home.store.expire_history(NOW, nums[1])
    assert (second.deleted, second.after) == (2, nums[4])  # nums[2] keeps all
    third = await home.store.expire_history(NOW, nums[4])
    assert third.deleted == 2
    assert await Retention(home.store).run(NOW) == 0
    left = [len(await home.store.feed_values(FeedPage(feed_num=num))) for num in nums]
    assert left == [1, 1, 2, 1, 1, 1, 1]


async def kept_a_day(home: Home, *nums: int) -> list[int]:
    """Feeds with one reading that they keep no longer; answers their numbers."""
    made = []
    for n in nums:
        feed = await home.store.add_feed(some_feed(f"f{n}", n, retain_days=1))
        old = Reading(feed.num, 0, NOW - 3 * DAY, digest64(1.0), 1.0)
        await home.store.add_history(feed, [old])
        made.append(feed.num)
    return made


async def left_of(home: Home, nums: list[int]) -> list[int]:
    return [len(await home.store.feed_values(FeedPage(feed_num=num))) for num in nums]


async def test_one_that_keeps_its_readings_beyond_all_calendars_stops_no_other_from_losing_theirs(
    home: Home,
) -> None:
    """Nobody's readings went any more: the time before which they go was none."""
    nums = await kept_a_day(home, 30, 31, 32)
    feeds = {feed.num: feed for feed in await home.store.feeds(USER, 100, 0)}
    await home.store.update_feed(msgspec.structs.replace(feeds[nums[1]], retain_days=2_147_483_647))
    assert await Retention(home.store).run(NOW) == 2
    assert await left_of(home, nums) == [0, 1, 0]
    assert await home.store.dead_letters(10, None) == []


async def test_a_feed_whose_readings_cannot_be_deleted_is_put_aside_alone(home: Home) -> None:
    nums = await kept_a_day(home, 30, 31, 32)
    store = home.store
    if isinstance(store, MemoryStore):
        store.lasting.add(nums[1])
    else:
        spoiled = (
            "INSERT INTO feed_values (feed_num, device_num, ts, digest, number)"
            " VALUES ($1, 0, '-infinity', 1, 1)"
        )
        await store._work(  # type: ignore[attr-defined]
            lambda connection: connection.execute(spoiled, nums[1])
        )
    for attempts in (1, 2):
        await Retention(store).run(NOW)
        assert (await left_of(home, nums))[::2] == [0, 0]
        (letter,) = await store.dead_letters(10, None)
        assert (letter.work, letter.subject) == ("history", str(nums[1]))
        assert (letter.user_id, letter.attempts) == (USER, attempts)
    if isinstance(store, MemoryStore):
        store.lasting.clear()
    else:
        healed = "DELETE FROM feed_values WHERE ts = '-infinity'"
        await store._work(lambda connection: connection.execute(healed))  # type: ignore[attr-defined]
    await store.expire_history(NOW, nums[1] - 1)
    assert await left_of(home, nums) == [0, 0, 0]
    assert await store.dead_letters(10, None) == []

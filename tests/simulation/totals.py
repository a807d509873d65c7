"""Histories of a plan that are imported and erased, and the checker of charts and totals.

Charts and totals equal the readings at every moment, whatever was summed up by then; and when all
is quiet, everything is.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import trio

from protocol.dead_letters import ROLLUPS
from protocol.rest.charts import Bucket, civil_starts
from protocol.times import SECOND_US, format_us
from tests.simulation.broken import Broken
from tests.simulation.clock import START_US
from tests.simulation.person import Refused
from tests.simulation.plan import HISTORY, OWNERS, Bring, Erase

if TYPE_CHECKING:
    from tests.simulation.world import World

HOUR_US = 3_600 * SECOND_US
# All that a plan says lies in these hours; a wall clock that was set forward leads beyond.
# Wide enough for every clock that is set back, again and again; it begins with a bucket of every
# length.
FIRST_US = START_US - START_US % (24 * HOUR_US) - 24 * 30 * HOUR_US
LAST_US = FIRST_US + 24 * 90 * HOUR_US
# Whose midnights are whole hours of UTC, and not; seconds ahead of it.
PLACES = (("Asia/Ho_Chi_Minh", 25_200), ("Asia/Kolkata", 19_800))
SUMMED_WITHIN_S = 60.0
AGAIN_WITHIN_S = 5.0
KILLED_IN_FLIGHT = "process killed, something in flight"
LARGEST = Fraction(1.7976931348623157e308)


class Totals:
    """Whoever brings histories and erases them, and the book of what must be there."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._feeds: dict[str, str] = {}  # ids of the feeds "history" by owner
        self._taking_turns = {owner: trio.Lock() for owner in OWNERS}
        self._owed: dict[str, dict[int, float]] = {owner: {} for owner in OWNERS}

    async def furnish(self, owner: str) -> None:
        person = await self._world.person(owner).sign_up()
        try:
            made = await person.post("/feeds", {"key": HISTORY, "name": HISTORY})
        except Refused as refused:
            if refused.status != 409:  # an earlier try was done, its answer lost
                raise
            known = (await person.get("/feeds?limit=1000"))["items"]
            made = next(each for each in known if each["key"] == HISTORY)
        self._feeds[owner] = made["id"]

    async def bring(self, step: Bring) -> None:
        """Import readings; charts have them when that is answered."""
        first_us = START_US + round((step.at_s - step.age_s) * SECOND_US)
        new = {
            first_us + round(n * step.every_s * SECOND_US): value
            for n, value in enumerate(step.values)
        }
        rows = [f"{format_us(ts_us)},{value!r}" for ts_us, value in new.items()]
        for n, bad in enumerate(step.bad):
            rows.insert(2 * n, bad.replace("{ts}", format_us(first_us)))
        person = self._world.person(step.owner)
        path = f"/feed-values/{self._feeds[step.owner]}/import"
        body = "\n".join(("ts,value", *rows)).encode()
        async with self._taking_turns[step.owner]:
            answer = await person.call("POST", path, body, {"content-type": "text/csv"})
            if answer["refused"] > len(step.bad) and self._world.trace.fired["clock back"]:
                return  # they lay in its future
            if answer["refused"] != len(step.bad):
                raise Broken("I1", f"of {len(step.bad)} bad rows: {answer}")
            if step.bad:
                self._world.trace.fault("import: bad rows")
            if answer["stored"] + answer["duplicate"] != len(new):
                raise Broken("I1", f"of {len(new)} imported readings: {answer}")
            self._owed[step.owner] |= new
            await self.look(step.owner)

    async def erase(self, step: Erase) -> None:
        """Delete the readings of some time."""
        start_us = START_US + round((step.at_s - step.age_s) * SECOND_US)
        end_us = start_us + round(step.lasts_s * SECOND_US)
        path = f"/feed-values/{self._feeds[step.owner]}"
        query = f"?start={format_us(start_us)}&end={format_us(end_us)}"
        async with self._taking_turns[step.owner]:
            await self._world.person(step.owner).delete(path + query)
            owed = self._owed[step.owner]
            for ts_us in [ts_us for ts_us in owed if start_us <= ts_us < end_us]:
                del owed[ts_us]
            await self.look(step.owner)

    async def look(self, owner: str) -> None:
        """Charts and totals of a person, at this moment.

        The twin answers at once, and nothing else runs before its readings are looked at.
        """
        try:
            await self._look(owner)
        except ArithmeticError as error:
            raise Broken("I6", f"a chart of {owner} cannot be read: {error}") from error

    async def _look(self, owner: str) -> None:
        store = self._world.store
        user_id = self._world.person(owner).id
        for feed in await store.feeds(user_id, 1_000, 0):
            for bucket_s in (60, 3_600):
                chart = await store.feed_buckets(feed.num, FIRST_US, LAST_US, bucket_s)
                _compare(f"{owner}/{feed.key}", chart, _numbers(store, [feed.num]), bucket_s)
        for place, shift_s in PLACES:
            starts = civil_starts(FIRST_US, LAST_US, 86_400, ZoneInfo(place))
            total = await store.user_buckets(user_id, FIRST_US, LAST_US, 86_400, starts)
            everything = _numbers(store, store.feed_nums(user_id))
            shifted = [(ts_us + shift_s * SECOND_US, value) for ts_us, value in everything]
            _compare(f"{owner} in {place}", total, shifted, 86_400)
        for bucket_s in (60, 3_600, 86_400):
            total = await store.user_buckets(user_id, FIRST_US, LAST_US, bucket_s)
            _compare(owner, total, _numbers(store, store.feed_nums(user_id)), bucket_s)

    async def check(self) -> None:
        """When all is quiet: everything is summed up, nothing was put aside, REST says the same."""
        await self._world.advance(SUMMED_WITHIN_S)
        if self._world.poison.has_spoilt_sums or self._world.trace.fired[KILLED_IN_FLIGHT]:
            # As the job does by itself, every ten seconds in life: a commit of the process that was
            # killed may have reached the database after the next process had looked.
            self._world.service.scheduler.wake("rollups")
            await self._world.advance(AGAIN_WITHIN_S)
        if self._world.store.minutes_noted():
            raise Broken("I6", f"not summed up: {self._world.store.minutes_noted()}")
        if any(work == ROLLUPS for work, _ in self._world.store.all_dead_letters):
            raise Broken("I6", "sums were put aside")
        for owner in OWNERS:
            await self.look(owner)
            await self._check_rest(owner)

    async def _check_rest(self, owner: str) -> None:
        person = self._world.person(owner)
        owed = self._owed[owner]
        feed = next(
            feed
            for feed in await self._world.store.feeds(person.id, 1_000, 0)
            if feed.id == self._feeds[owner]
        )
        stored = _numbers(self._world.store, [feed.num])  # two values may be of one instant
        known = set(stored)
        missing = [ts_us for ts_us, value in owed.items() if (ts_us, value) not in known]
        if missing:
            raise Broken("I1", f"{owner}: {len(missing)} imported readings are gone")
        path = f"/feed-values/{feed.id}?bucket=1h&agg=count,sum,avg,min,max"
        points = (await person.get(path))["items"]
        _compare(f"{owner}/{HISTORY} by REST", _buckets(points), stored, 3_600)
        span = f"start={format_us(FIRST_US)}&end={format_us(LAST_US)}"
        stats = (await person.get(f"/dashboard/stats?{span}"))["feed_values"]
        everything = _numbers(self._world.store, self._world.store.feed_nums(person.id))
        counted = sum(point["count"] for point in stats["points"])
        if counted != len(everything):
            raise Broken("I6", f"{owner}: stats count {counted} of {len(everything)} readings")


def _numbers(store: Any, feed_nums: Iterable[int]) -> list[tuple[int, float]]:
    return [
        (reading.ts_us, float(reading.value))
        for num in feed_nums
        for reading in store.all_readings(num)
        if not isinstance(reading.value, str) and FIRST_US <= reading.ts_us < LAST_US
    ]


def _buckets(points: list[dict[str, Any]]) -> list[Bucket]:
    """Oldest first; of their times only the order."""
    found = [(p["ts"], p["count"], p["sum"], p["avg"], p["min"], p["max"]) for p in points]
    return [Bucket(0, *rest) for _, *rest in sorted(found)]


def _compare(
    what: str, found: list[Bucket], readings: Iterable[tuple[int, float]], bucket_s: int
) -> None:
    """Against exact fractions, by other means than the service's own. A sum that fits by less than
    rounding on its way costs may be missing."""
    wanted: dict[int, list[float]] = {}
    for ts_us, value in readings:
        wanted.setdefault(ts_us // (bucket_s * SECOND_US), []).append(value)
    if len(found) != len(wanted):
        raise Broken("I6", f"{what}: {len(found)} buckets of {bucket_s} s, not {len(wanted)}")
    for bucket, (place, values) in zip(found, sorted(wanted.items()), strict=True):
        exact = sum(map(Fraction, values), Fraction(0))
        slack = Fraction(max(map(abs, values))) / 10**9 + Fraction(1, 10**9)
        right = (
            (bucket.count, bucket.min, bucket.max) == (len(values), min(values), max(values))
            and abs(Fraction(bucket.avg) - exact / len(values)) <= slack
            and (
                abs(exact) > LARGEST - slack * len(values)
                if bucket.sum is None
                else abs(Fraction(bucket.sum) - exact) <= slack * len(values)
            )
        )
        if not right:
            at = format_us(place * bucket_s * SECOND_US)
            raise Broken("I6", f"{what} at {at}: {bucket}, the readings are {values[:9]}")

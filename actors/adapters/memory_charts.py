"""Charts and long histories in the store's twin: always counted from the readings themselves."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from actors.adapters.memory_tables import Tables
from protocol.alarms import Alarm
from protocol.charts import Bucket, summed
from protocol.records import OFFLINE, Device, Feed, Reading, StoredReading
from protocol.schedules import PENDING, Occurrence, Schedule
from protocol.stats import Counts
from protocol.times import SECOND_US

DAY_US = 24 * 3600 * SECOND_US


class ChartTables(Tables):
    """See `actors.ports.charts.ChartStore`; feeds and readings are those of `MemoryStore`."""

    _feeds: dict[str, Feed]
    _devices: dict[str, Device]
    _schedules: dict[str, Schedule]
    all_alarms: dict[str, Alarm]
    all_occurrences: dict[str, Occurrence]
    _readings: dict[int, dict[tuple[int, int, int], StoredReading]]
    _store_readings: Callable[[Sequence[Reading]], int]

    async def feed_bounds(self, feed_num: int) -> tuple[int, int] | None:
        await self._cross()
        times = [ts_us for ts_us, _, _ in self._readings.get(feed_num, {})]
        return (min(times), max(times)) if times else None

    async def feed_buckets(
        self, feed_num: int, start_us: int, end_us: int, bucket_s: int
    ) -> list[Bucket]:
        await self._cross()
        return summed(self._numbers(feed_num, start_us, end_us), bucket_s)

    async def user_buckets(
        self, user_id: str, start_us: int, end_us: int, bucket_s: int
    ) -> list[Bucket]:
        await self._cross()
        mine = [feed.num for feed in self._feeds.values() if feed.user_id == user_id]
        found = [each for num in mine for each in self._numbers(num, start_us, end_us)]
        return summed(found, bucket_s)

    def _numbers(self, feed_num: int, start_us: int, end_us: int) -> Iterator[tuple[int, float]]:
        for reading in self._readings.get(feed_num, {}).values():
            if start_us <= reading.ts_us < end_us and not isinstance(reading.value, str):
                yield reading.ts_us, float(reading.value)

    async def dashboard_counts(self, user_id: str, start_us: int, end_us: int) -> Counts:
        await self._cross()
        devices = [d for d in self._devices.values() if d.user_id == user_id]
        alarms = [a for a in self.all_alarms.values() if a.user_id == user_id]
        mine = [s for s in self._schedules.values() if s.user_id == user_id]
        occurrences = [o for o in self.all_occurrences.values() if o.user_id == user_id]
        due = Counter(o.state for o in occurrences if start_us <= o.due_us < end_us)
        return Counts(
            devices=len(devices),
            online=sum(d.state.status != OFFLINE for d in devices),
            open_alarms=sum(a.state in ("active", "acknowledged") for a in alarms),
            schedules=len(mine),
            enabled_schedules=sum(s.enabled for s in mine),
            occurrences=dict(due),
            next_us=min((o.due_us for o in occurrences if o.state == PENDING), default=None),
        )

    async def roll_up(self, limit: int) -> int | None:
        await self._cross()
        return 0

    async def last_values(self, user_id: str, feed_ids: Sequence[str]) -> list[Feed]:
        await self._cross()
        found = [self._feeds[each] for each in feed_ids if each in self._feeds]
        return [feed for feed in found if feed.user_id == user_id]

    async def add_history(self, feed: Feed, readings: Sequence[Reading]) -> int:
        await self._cross()
        return self._store_readings(readings)

    async def delete_history(self, feed_num: int, start_us: int | None, end_us: int | None) -> int:
        await self._cross()
        return self._delete_readings(feed_num, start_us, end_us)

    def _delete_readings(self, feed_num: int, start_us: int | None, end_us: int | None) -> int:
        readings = self._readings.get(feed_num, {})
        gone = [
            place
            for place in readings
            if (start_us is None or place[0] >= start_us) and (end_us is None or place[0] < end_us)
        ]
        for place in gone:
            del readings[place]
        for feed in list(self._feeds.values()):
            if feed.num == feed_num and feed.last_us not in {ts for ts, _, _ in readings}:
                newest = readings[max(readings)] if readings else None
                self._feeds[feed.id] = msgspec.structs.replace(
                    feed,
                    last_value=newest.value if newest else None,
                    last_us=newest.ts_us if newest else None,
                )
        return len(gone)

    async def expire_history(self, now_us: int) -> int:
        await self._cross()
        deleted = 0
        for feed in list(self._feeds.values()):
            if feed.retain_days is not None:
                until_us = now_us - feed.retain_days * DAY_US
                until_us -= until_us % (60 * SECOND_US)
                deleted += self._delete_readings(feed.num, None, until_us)
        return deleted

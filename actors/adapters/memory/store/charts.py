"""Charts and long histories in the store's twin."""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from actors.adapters.memory.store.rollups import RollupTables
from actors.ports.charts import Expired
from actors.runtime.clock import WallClock
from protocol.dead_letters import HISTORY, reason_of
from protocol.device.alarms import Alarm
from protocol.errors import Unreadable
from protocol.records import OFFLINE, Device, Feed, Reading
from protocol.rest.charts import HOUR_US, MINUTE_US, Bucket, gathered, ragged_hours, unit_of
from protocol.rest.stats import Counts
from protocol.schedule.schedules import PENDING, Occurrence, Schedule
from protocol.times import SECOND_US

DAY_US = 24 * 3600 * SECOND_US
# Feeds per call that are checked for readings beyond their retention.
FEEDS_AT_ONCE = 1_000


class ChartTables(RollupTables):
    """See `actors.ports.charts.ChartStore`; feeds and readings are those of `FeedTables`.

    Attributes:
        lasting: feeds whose readings cannot be deleted, by number.
    """

    _devices: dict[str, Device]
    _schedules: dict[str, Schedule]
    all_alarms: dict[str, Alarm]
    all_occurrences: dict[str, Occurrence]
    _store_readings: Callable[[Sequence[Reading]], int]
    _deleted_until: dict[int, int]

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self.lasting: set[int] = set()

    async def feed_bounds(self, feed_num: int) -> tuple[int, int] | None:
        await self._cross()
        times = [ts_us for ts_us, _, _ in self._readings.get(feed_num, {})]
        return (min(times), max(times)) if times else None

    async def feed_buckets(
        self,
        feed_num: int,
        start_us: int,
        end_us: int,
        bucket_s: int,
        starts: Sequence[int] = (),
    ) -> list[Bucket]:
        await self._cross()
        unit_us = unit_of(bucket_s)
        if not unit_us:
            return gathered(self._read(feed_num, start_us, end_us), bucket_s)
        ragged = _ragged(start_us, end_us, bucket_s, starts)
        parts = self._feed_parts(feed_num, start_us, end_us, unit_us, ragged)
        return gathered(parts, bucket_s, starts)

    async def user_buckets(
        self,
        user_id: str,
        start_us: int,
        end_us: int,
        bucket_s: int,
        starts: Sequence[int] = (),
    ) -> list[Bucket]:
        await self._cross()
        start_us, end_us = start_us // MINUTE_US * MINUTE_US, -(-end_us // MINUTE_US) * MINUTE_US
        ragged = _ragged(start_us, end_us, bucket_s, starts)
        parts = self._user_parts(user_id, start_us, end_us, unit_of(bucket_s), ragged)
        return gathered(parts, bucket_s, starts)

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
        return self._roll_up(limit)

    async def expire_minute_sums(self, until_us: int) -> None:
        await self._cross()
        self._expire_minutes(until_us)

    async def last_values(self, user_id: str, feed_ids: Sequence[str]) -> list[Feed]:
        await self._cross()
        found = [self._feeds[each] for each in feed_ids if each in self._feeds]
        mine = [feed for feed in found if feed.user_id == user_id]
        return self._all_readable("feeds", user_id, mine)

    async def add_history(self, feed: Feed, readings: Sequence[Reading]) -> int:
        await self._cross()
        self._note_minutes(readings)
        return self._store_readings(readings)

    async def delete_history(self, feed_num: int, start_us: int | None, end_us: int | None) -> int:
        await self._cross()
        deleted = self._delete_readings(feed_num, start_us, end_us)
        self._set_last_again(feed_num)
        return deleted

    def _delete_readings(self, feed_num: int, start_us: int | None, end_us: int | None) -> int:
        readings = self._readings.get(feed_num, {})
        gone = [
            place
            for place in readings
            if (start_us is None or place[0] >= start_us) and (end_us is None or place[0] < end_us)
        ]
        for place in gone:
            del readings[place]
        if gone:
            until_us = max(ts_us for ts_us, _, _ in gone)
            self._deleted_until[feed_num] = max(
                until_us, self._deleted_until.get(feed_num, until_us)
            )
        for feed in [each for each in self._feeds.values() if each.num == feed_num]:
            self._forget_sums(feed, [ts_us for ts_us, _, _ in gone])
        return len(gone)

    def _set_last_again(self, feed_num: int) -> None:
        """If the last value was deleted, the newest one that is left replaces it."""
        readings = self._readings.get(feed_num, {})
        for feed in list(self._feeds.values()):
            if feed.num == feed_num and feed.last_us not in {ts for ts, _, _ in readings}:
                newest = readings[max(readings)] if readings else None
                self._feeds[feed.id] = msgspec.structs.replace(
                    feed,
                    last_value=newest.value if newest else None,
                    last_us=newest.ts_us if newest else None,
                )

    async def expire_history(self, now_us: int, after: int = 0) -> Expired:
        await self._cross()
        mine = [f for f in self._feeds.values() if f.retain_days is not None and f.num > after]
        mine.sort(key=lambda feed: feed.num)
        deleted = 0
        for feed in mine[:FEEDS_AT_ONCE]:
            assert feed.retain_days is not None
            if feed.num in self.lasting:
                error = Unreadable(f"nobody can delete readings of the feed {feed.num}")
                self._put_aside(HISTORY, str(feed.num), reason_of(error), now_us, feed.user_id)
                continue
            self._clear_dead_letters(HISTORY, [str(feed.num)])
            until_us = now_us - feed.retain_days * DAY_US
            until_us -= until_us % MINUTE_US
            deleted += self._delete_readings(feed.num, None, until_us)
        last = mine[FEEDS_AT_ONCE - 1].num if len(mine) >= FEEDS_AT_ONCE else None
        return Expired(deleted=deleted, after=last, is_left=False)


def _ragged(start_us: int, end_us: int, bucket_s: int, starts: Sequence[int]) -> list[int]:
    """Hours that no bucket has as a whole, where buckets are made of hours."""
    if unit_of(bucket_s) != HOUR_US:
        return []
    return ragged_hours(start_us, end_us, bucket_s, starts)

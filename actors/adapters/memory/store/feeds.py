"""Feeds and their readings in the store's twin."""

from collections.abc import Sequence

import msgspec

from actors.adapters.memory.store.alarms import AlarmTables
from actors.adapters.memory.store.charts import ChartTables
from actors.adapters.memory.store.listing import ListTables
from actors.adapters.memory.store.rules import revised
from actors.adapters.memory.store.second_factors import SecondFactorTables
from actors.ports.store import FeedPage
from actors.runtime.clock import WallClock
from protocol.errors import Conflict
from protocol.problems.detail import Detail
from protocol.records import Destination, Feed, Reading, StoredReading
from protocol.rest.bounds import check_room, place_of_feeds

WEEK_US = 7 * 24 * 3600 * 1_000_000


class FeedTables(AlarmTables, ChartTables, ListTables, SecondFactorTables):
    """See `actors.ports.store.Store`.

    Attributes:
        owners: the user of every device and feed that ever existed, by its id.
    """

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self.owners: dict[str, str] = {}
        self._feeds: dict[str, Feed] = {}
        self._readings: dict[int, dict[tuple[int, int, int], StoredReading]] = {}
        self._deleted_until: dict[int, int] = {}  # of each feed: the newest deleted reading
        self._message_ids: dict[tuple[int, int, str, int], int] = {}

    async def add_feed(
        self, feed: Feed, most: int | None = None, most_of_device: int | None = None
    ) -> Feed:
        await self._cross()
        mine = [each for each in self._feeds.values() if each.user_id == feed.user_id]
        check_room("feeds_full", len(mine), 1, most)
        there = [each for each in mine if each.device_id == feed.device_id and not each.archived]
        check_room(place_of_feeds(feed.device_id), len(there), 1, most_of_device)
        place = feed.user_id, feed.device_id, feed.key
        for other in self._feeds.values():
            if not other.archived and (other.user_id, other.device_id, other.key) == place:
                raise Conflict(Detail("feed_exists", key=feed.key))
        feed = msgspec.structs.replace(feed, num=self._next("feed"))
        self._feeds[feed.id] = feed
        self.owners[feed.id] = feed.user_id
        self._notify_settings(feed.user_id)
        return feed

    async def feeds(
        self, user_id: str, limit: int, after: int, device_id: str | None = None
    ) -> list[Feed]:
        await self._cross()
        found = [
            feed
            for feed in self._feeds.values()
            if feed.user_id == user_id and feed.num > after and device_id in (None, feed.device_id)
        ]
        return self._all_readable("feeds", user_id, found[:limit])

    async def feed(self, user_id: str, feed_id: str) -> Feed | None:
        await self._cross()
        found: Feed | None = self._one("feeds", self._feeds.get(feed_id), user_id)
        return found

    async def update_feed(self, feed: Feed, known: int | None = None) -> None:
        await self._cross()
        current = self._feeds.get(feed.id)
        if current is None:
            return
        self._feeds[feed.id] = msgspec.structs.replace(
            feed,
            last_value=current.last_value,
            last_us=current.last_us,
            revision=revised(current.revision, known),
        )
        self._notify_settings(feed.user_id)

    async def delete_feed(self, user_id: str, feed_id: str) -> None:
        await self._cross()
        feed = self._feeds.get(feed_id)
        if feed is not None and feed.user_id == user_id:
            self._drop_feed(feed)
            self._notify_settings(user_id)

    def _drop_feed(self, feed: Feed) -> None:
        del self._feeds[feed.id]
        self._readings.pop(feed.num, None)
        self._deleted_until.pop(feed.num, None)
        self._forget_feed(feed)
        self._drop_alarms(feed_num=feed.num)
        for name in [each for each in self._message_ids if each[0] == feed.num]:
            del self._message_ids[name]

    def _store_readings(self, readings: Sequence[Reading]) -> int:
        """How many of them were stored already."""
        duplicates = 0
        for reading in readings:
            feed = self._readings.setdefault(reading.feed_num, {})
            place = reading.ts_us, reading.device_num, reading.digest
            if reading.message_id is not None:
                by = reading.feed_num, reading.device_num, reading.message_id
                name = *by, reading.digest
                now_us = self._clock.now_us()
                seen_us = self._message_ids.get(name)
                if seen_us is not None and seen_us >= now_us - WEEK_US:
                    duplicates += 1
                    continue
                self._message_ids[name] = now_us
            if place in feed:
                duplicates += 1
                continue
            feed[place] = StoredReading(*place, reading.value, reading.flagged)
            if reading.into is Destination.LAST_VALUE:
                self._set_last(reading)
        return duplicates

    def _set_last(self, reading: Reading) -> None:
        for feed in self._feeds.values():
            if feed.num == reading.feed_num and (
                feed.last_us is None or reading.ts_us >= feed.last_us
            ):
                self._feeds[feed.id] = msgspec.structs.replace(
                    feed, last_value=reading.value, last_us=reading.ts_us
                )
                return

    async def feed_values(self, page: FeedPage) -> list[StoredReading]:
        await self._cross()
        feed = self._readings.get(page.feed_num, {})
        found = [
            feed[place]
            for place in sorted(feed, reverse=True)
            if (page.start_us is None or place[0] >= page.start_us)
            and (page.end_us is None or place[0] < page.end_us)
            and (page.before is None or place < page.before)
        ]
        return found[: page.limit]

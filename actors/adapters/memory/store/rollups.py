"""Readings summed up per minute and hour in the store's twin, as PostgreSQL does it.

Commits note the minutes that they wrote to. `_roll_up` computes these again from the readings, then
their hours, then those of the user. A chart takes from the sums what is not noted, and the rest
from the readings. So a forgotten note or an outdated sum shows in it. Minutes that expired have no
sums, and their hours are computed from the readings.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from actors.adapters.memory.store.tables import Tables
from actors.runtime.clock import WallClock
from protocol.dead_letters import ROLLUPS, DeadLetter, is_due, reason_of
from protocol.records import Feed, Reading, StoredReading
from protocol.rest.charts import HOUR_US, MINUTE_US, Bucket, bucket_of_one, merged, minutes_of


class RollupTables(Tables):
    """Sums of feeds and users; feeds and readings are those of `FeedTables`.

    Attributes:
        unsummable: minutes (feed, µs) whose sums fail, and how often that was tried.
        minutes_since: from this time on (µs) there are sums of minutes.
    """

    _feeds: dict[str, Feed]
    _readings: dict[int, dict[tuple[int, int, int], StoredReading]]
    all_dead_letters: dict[tuple[str, str], DeadLetter]
    _put_aside: Callable[..., int | None]
    _clear_dead_letters: Callable[[str, Collection[str]], int]

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self._notes: list[list[tuple[int, int]]] = []  # (feed, minute), of one commit each
        self._feed_sums: dict[tuple[int, int], dict[int, Bucket]] = {}  # by feed and unit
        self._user_sums: dict[tuple[str, int], dict[int, Bucket]] = {}  # by user and unit
        self.unsummable: dict[tuple[int, int], int] = {}
        self.minutes_since = 0
        self._held: dict[tuple[int, int], None] = {}  # minutes that were put aside
        self._stale: dict[tuple[str, int], None] = {}  # users and their hours, after deletions

    def _note_minutes(self, readings: Iterable[Reading]) -> None:
        touched = minutes_of(readings)
        if touched:
            self._notes.append([(num, minute * MINUTE_US) for num, minute in touched])

    def _roll_up(self, limit: int) -> int:
        """For so many commits, and so many of a user's stale hours; return how many are left."""
        taken, self._notes = self._notes[:limit], self._notes[limit:]
        there = {feed.num: feed.user_id for feed in self._feeds.values()}
        again = self._released()
        for num, us in sorted({*again, *(each for note in taken for each in note)}):
            if num in there:
                self._sum_minute(num, us, there[num])
        self._clear_dead_letters(
            ROLLUPS, [_subject(*each) for each in again if each not in self._held]
        )
        stale = sorted(self._stale, key=lambda each: -each[1])
        for user_id, hour_us in stale[:limit]:
            for us in range(max(hour_us, self.minutes_since), hour_us + HOUR_US, MINUTE_US):
                self._sum_user(user_id, us, MINUTE_US)
            self._sum_user(user_id, hour_us, HOUR_US)
            del self._stale[user_id, hour_us]
        return len(self._notes) + len(self._stale)

    def _sum_minute(self, num: int, us: int, user_id: str) -> None:
        """And its hour, and those of the user. A minute that fails is put aside, and computed from
        the readings until a later try succeeds."""
        try:
            if (num, us) in self.unsummable:
                self.unsummable[num, us] += 1
                raise OverflowError("the sums of this minute fail")
            for unit_us in self._units(us):
                self._sum_feed(num, us - us % unit_us, unit_us)
                self._sum_user(user_id, us - us % unit_us, unit_us)
        except ArithmeticError as error:
            self._held[num, us] = None
            self._put_aside(ROLLUPS, _subject(num, us), reason_of(error), self._clock.now_us())

    def _released(self) -> list[tuple[int, int]]:
        """What was put aside and is due for its next try."""
        now_us = self._clock.now_us()
        letters = {
            (num, us): self.all_dead_letters.get((ROLLUPS, _subject(num, us)))
            for num, us in self._held
        }
        found = [
            each for each, letter in letters.items() if letter is None or is_due(letter, now_us)
        ]
        for each in found:
            del self._held[each]
        return found

    def _units(self, us: int) -> tuple[int, ...]:
        """What is summed up of this time."""
        return (HOUR_US,) if us < self.minutes_since else (MINUTE_US, HOUR_US)

    def _sum_feed(self, num: int, us: int, unit_us: int) -> None:
        if unit_us == MINUTE_US or us < self.minutes_since:
            parts = list(self._read(num, us, us + unit_us))
        else:
            minutes = self._feed_sums.get((num, MINUTE_US), {})
            parts = _within(minutes, us, us + HOUR_US)
        _put(self._feed_sums.setdefault((num, unit_us), {}), us, parts)

    def _sum_user(self, user_id: str, us: int, unit_us: int) -> None:
        found = [self._feed_sums.get((num, unit_us), {}).get(us) for num in self.feed_nums(user_id)]
        parts = [part for part in found if part is not None]
        _put(self._user_sums.setdefault((user_id, unit_us), {}), us, parts)

    def feed_nums(self, user_id: str) -> list[int]:
        """The feeds of a user."""
        return [feed.num for feed in self._feeds.values() if feed.user_id == user_id]

    def _read(self, num: int, start_us: int, end_us: int) -> Iterator[Bucket]:
        """The readings themselves, in order of time."""
        for (ts_us, _, _), reading in sorted(self._readings.get(num, {}).items()):
            if start_us <= ts_us < end_us and not isinstance(reading.value, str):
                yield bucket_of_one(ts_us, float(reading.value))

    # For checkers

    def all_readings(self, feed_num: int) -> list[StoredReading]:
        """All readings of a feed."""
        return list(self._readings.get(feed_num, {}).values())

    def minutes_noted(self) -> int:
        """How many minutes are not summed up yet."""
        return len(list(self._noted()))

    # Deletions

    def _forget_sums(self, feed: Feed, times: Sequence[int]) -> None:
        """Readings of these times (µs) were deleted."""
        for unit_us in (MINUTE_US, HOUR_US):
            for us in dict.fromkeys(us - us % unit_us for us in times):
                if unit_us in self._units(us):
                    self._sum_feed(feed.num, us, unit_us)
        self._leave_stale(feed.user_id, times)

    def _forget_feed(self, feed: Feed) -> None:
        hours = self._feed_sums.pop((feed.num, HOUR_US), {})
        self._feed_sums.pop((feed.num, MINUTE_US), None)
        self._leave_stale(feed.user_id, list(hours))

    def _leave_stale(self, user_id: str, times: Iterable[int]) -> None:
        self._stale.update(dict.fromkeys((user_id, us - us % HOUR_US) for us in times))

    # Expiry

    def _expire_minutes(self, until_us: int) -> None:
        self.minutes_since = max(self.minutes_since, until_us - until_us % HOUR_US)
        of_feeds, of_users = list(self._feed_sums.items()), list(self._user_sums.items())
        for (_, unit_us), sums in (*of_feeds, *of_users):
            for us in [us for us in sums if unit_us == MINUTE_US and us < self.minutes_since]:
                del sums[us]

    # Charts

    def _noted(self) -> Iterator[tuple[int, int]]:
        """Minutes whose sums may be behind."""
        for note in self._notes:
            yield from note
        yield from self._held

    def _feed_parts(
        self, num: int, start_us: int, end_us: int, unit_us: int, ragged: Collection[int] = ()
    ) -> list[Bucket]:
        """Sums of whole units that are up to date, and readings for the rest. Of `ragged` hours,
        those of minutes."""
        noted = {us for feed_num, us in self._noted() if feed_num == num}
        return list(self._cut(num, noted, start_us, end_us, unit_us, ragged))

    def _cut(
        self,
        num: int,
        noted: set[int],
        start_us: int,
        end_us: int,
        unit_us: int,
        ragged: Collection[int] = (),
    ) -> Iterator[Bucket]:
        behind = {us - us % unit_us for us in noted}.union(ragged)
        known = self._feed_sums.get((num, unit_us), {})
        rest = {us - us % unit_us for us, _, _ in self._readings.get(num, {})} | set(known)
        for us in sorted(rest):
            first, last = max(us, start_us), min(us + unit_us, end_us)
            if first >= last:
                continue
            is_whole = (first, last) == (us, us + unit_us)
            if us not in behind and is_whole and unit_us in self._units(us):
                if us in known:
                    yield known[us]
            elif unit_us == HOUR_US:
                yield from self._cut(num, noted, first, last, MINUTE_US)
            else:
                yield from self._read(num, first, last)

    def _user_parts(
        self, user_id: str, start_us: int, end_us: int, unit_us: int, ragged: Collection[int] = ()
    ) -> Iterator[Bucket]:
        mine = self.feed_nums(user_id)
        noted = {us - us % unit_us for num, us in self._noted() if num in mine}
        known = self._user_sums.get((user_id, unit_us), {})
        behind = {us for us in known if (user_id, us - us % HOUR_US) in self._stale} | noted
        behind.update(us for us in ragged if us in known)
        expired = {
            us - us % unit_us
            for num in mine
            for us, _, _ in self._readings.get(num, {})
            if unit_us not in self._units(us)
        }
        for us in sorted(known):
            if us not in behind and start_us <= us and us + unit_us <= end_us:
                yield known[us]
        for us in [us for us in known if not (start_us <= us and us + unit_us <= end_us)]:
            behind.add(us)
        for us in sorted(behind | expired):
            first, last = max(us, start_us), min(us + unit_us, end_us)
            for num in mine if first < last else ():
                yield from self._feed_parts(num, first, last, unit_us, ragged)


def _subject(num: int, us: int) -> str:
    return f"{num}/{us // MINUTE_US}"


def _within(sums: dict[int, Bucket], start_us: int, end_us: int) -> list[Bucket]:
    return [sums[us] for us in sorted(sums) if start_us <= us < end_us]


def _put(sums: dict[int, Bucket], us: int, parts: Sequence[Bucket]) -> None:
    if parts:
        sums[us] = merged(us, parts)
    else:
        sums.pop(us, None)

"""The Store port in memory: the twin of PostgreSQL, trusted through the same contract suite.

This is the server: it outlives the processes that use it, and whoever is cut off in the middle of a
commit may find it done a while later (`begin`). What happens between a process and its server is
the business of `actors.adapters.memory.store.line`.
"""

import re
from collections.abc import Sequence

import msgspec
import trio

from actors.adapters.memory.store.alarms import AlarmTables
from actors.adapters.memory.store.charts import ChartTables
from actors.adapters.memory.store.lead import LeadRow
from actors.adapters.memory.store.listeners import ListenerTables
from actors.adapters.memory.store.listing import ROWS_OF, ListTables
from actors.adapters.memory.store.media import MediaTables
from actors.adapters.memory.store.refusals import RefusalTables
from actors.adapters.memory.store.rules import check_storable, revised
from actors.adapters.memory.store.schedules import ScheduleTables
from actors.adapters.memory.store.shop import ShopTables
from actors.ports.lead import Lead
from actors.ports.store import Batch, Committed, FeedPage
from actors.runtime.clock import WallClock
from protocol.dead_letters import DEVICES, HISTORY, LISTENERS, ROLLUPS, ROWS, SESSIONS, rollup_of
from protocol.device.values import Value
from protocol.errors import Conflict, Fenced, Unavailable, Unstorable
from protocol.ids import is_uuid
from protocol.records import (
    AckChange,
    Device,
    Feed,
    LoadedDevice,
    MqttLogin,
    Reading,
    SessionMemory,
    SharedFeeds,
    StoredReading,
    WriteUnit,
)
from protocol.rest.bounds import check_room, place_of_feeds

WEEK_US = 7 * 24 * 3600 * 1_000_000
KEPT_BATCHES = 64
LOCK_TIMEOUT_S = 2.0  # how long one question waits for commits that are still being done


class Poisoned(Unstorable):
    """The fault of a test: a row that breaks a rule which only the database knows."""


class _Running(msgspec.Struct, frozen=True):
    """A commit that the server is doing: its number is claimed, its rows nobody sees yet."""

    batch: Batch
    no: int
    due_s: float


class MemoryStore(
    RefusalTables,
    AlarmTables,
    ScheduleTables,
    MediaTables,
    ListenerTables,
    ShopTables,
    ChartTables,
    ListTables,
):
    """See `actors.ports.store.Store` for what each call promises.

    Attributes:
        poison: values that it refuses to store (`Unstorable`), as a row that breaks a rule.
        owners: the user of every device and feed that ever was, by its id.
    """

    def __init__(self, clock: WallClock) -> None:
        self.poison: set[Value] = set()
        self.owners: dict[str, str] = {}
        super().__init__(clock)
        self._lead = LeadRow()
        self._running: dict[str, _Running] = {}
        self._devices: dict[str, Device] = {}
        self._logins: dict[str, MqttLogin] = {}  # by device id
        self._feeds: dict[str, Feed] = {}
        self._readings: dict[int, dict[tuple[int, int, int], StoredReading]] = {}
        self._message_ids: dict[tuple[int, int, str], int] = {}
        self._commits: dict[str, Committed] = {}
        self._taken: dict[str, dict[int, list[bytes]]] = {}
        self._confirmed: dict[str, int] = {}

    async def migrate(self) -> list[str]:
        await self._cross()
        return []

    async def tidy(self) -> None:
        await self._cross()
        self._forget_ended(self._clock.now_us())
        self._forget_delivered(self._clock.now_us())
        self._forget_signed_out()

    async def ping(self) -> None:
        await self._cross()

    # The writer and the actors

    async def commit(self, batch: Batch) -> Committed:
        self.begin(batch, 0.0)
        return await self.finish(batch.id)

    async def hold_lead(
        self, holder: str, lease_s: float, *, seize: bool = False, is_fit: bool = True
    ) -> Lead:
        await self._cross()
        return self._lead.hold(holder, lease_s, seize=seize, is_fit=is_fit)

    async def resign_lead(self, holder: str) -> None:
        await self._cross()
        self._lead.resign(holder)

    def forget_lead(self) -> None:
        """Nobody holds the lease, as after a restore of the database."""
        self._lead.forget()

    def begin(self, batch: Batch, work_s: float) -> None:
        """The server has all of a commit: it is done in `work_s`, whatever becomes of the client.

        Until then nobody sees anything of it. Raises `Unstorable`.
        """
        self._catch_up()
        if batch.id in self._commits or batch.id in self._running:
            return  # the first try holds the batch's name; this one waits for it
        if batch.epoch not in (0, self._lead.epoch):
            raise Fenced("another process leads")
        for unit in batch.units:
            self._check(unit)
        self._check_acks(_acks(batch))
        due_s = trio.current_time() + work_s
        self._running[batch.id] = _Running(batch, self._next("commit"), due_s)

    async def finish(self, name: str) -> Committed:
        """Wait until the batch of that name is done."""
        await trio.lowlevel.checkpoint()
        while name in self._running:
            await trio.sleep_until(self._running[name].due_s)
            self._catch_up()
        return self._commits[name]

    def done(self, name: str) -> Committed | None:
        """What became of the batch of that name, if it is done."""
        self._catch_up()
        return self._commits.get(name)

    def is_locked(self, command_id: str) -> bool:
        """Whether a commit that is being done has the command: nobody else changes it then."""
        running = [ack for each in self._running.values() for ack in _acks(each.batch)]
        return any(ack.command_id == command_id for ack in running)

    def _catch_up(self) -> None:
        """Do what the server has finished by now, in the order of finishing."""
        now_s = trio.current_time()
        due = [each for each in self._running.values() if each.due_s <= now_s]
        for each in sorted(due, key=lambda each: (each.due_s, each.no)):
            del self._running[each.batch.id]
            self._commits[each.batch.id] = self._do_commit(each.batch, each.no)

    def _check(self, unit: WriteUnit) -> None:
        check_storable(unit)
        for reading in unit.readings:
            if reading.value in self.poison:
                raise Poisoned(f"{reading.value!r} breaks a rule")

    def _do_commit(self, batch: Batch, no: int) -> Committed:
        duplicates = [self._store_readings(unit.readings) for unit in batch.units]
        self._note_minutes([reading for unit in batch.units for reading in unit.readings])
        for unit in batch.units:
            if unit.state is not None:
                self._store_state(unit)
            self._refuse(unit)
            if unit.taken is not None:
                batches = self._taken.setdefault(unit.taken.session, {})
                batches.setdefault(no, []).append(unit.taken.digest)
        told = self._keep_alarms([change for unit in batch.units for change in unit.alarms])
        changed, unknown = self._acknowledge(_acks(batch), done=False)
        changed = msgspec.structs.replace(changed, told=told or changed.told)
        self._refuse_acks(unknown)
        for session, up_to in batch.confirmed.items():
            self._confirmed[session] = max(up_to, self._confirmed.get(session, 0))
            batches = self._taken.get(session, {})
            for old in [each for each in batches if each <= up_to][:-KEPT_BATCHES]:
                del batches[old]
        return Committed(no=no, duplicates=duplicates, changed=changed, unknown=unknown)

    def _store_readings(self, readings: Sequence[Reading]) -> int:
        duplicates = 0
        for reading in readings:
            feed = self._readings.setdefault(reading.feed_num, {})
            place = reading.ts_us, reading.device_num, reading.digest
            if reading.message_id is not None:
                name = reading.feed_num, reading.device_num, reading.message_id
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
            if reading.sets_last:
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

    def _store_state(self, unit: WriteUnit) -> None:
        change = unit.state
        assert change is not None
        for device in self._devices.values():
            if device.num == change.device_num and device.state.version < change.state.version:
                self._devices[device.id] = msgspec.structs.replace(device, state=change.state)
                return

    async def load_devices(self, keys: Sequence[tuple[str, str]]) -> list[LoadedDevice | None]:
        await self._cross()
        by_key = {device.key: device for device in self._devices.values()}
        return [self._loaded(by_key[key]) if key in by_key else None for key in keys]

    def _loaded(self, device: Device) -> LoadedDevice:
        living = [feed for feed in self._feeds.values() if not feed.archived]
        return LoadedDevice(
            device=device,
            feeds=tuple(feed for feed in living if feed.device_id == device.id),
            shared=SharedFeeds(
                msgspec.structs.replace(feed, last_value=None, last_us=None)
                for feed in living
                if feed.device_id is None and feed.user_id == device.user_id
            ),
            alarms=self._open_alarms(device.num),
        )

    async def snapshot(self, user_id: str) -> list[Device]:
        await self._cross()
        mine = [device for device in self._devices.values() if device.user_id == user_id]
        return self._all_readable("devices", user_id, mine)

    async def session_memory(self, session: str) -> SessionMemory:
        await self._cross()
        with trio.move_on_after(LOCK_TIMEOUT_S):
            while self._running:  # commits of earlier processes that are still being done
                await trio.sleep_until(max(each.due_s for each in self._running.values()))
                self._catch_up()
        if self._running:
            raise Unavailable("an earlier commit is not over yet")
        confirmed = self._confirmed.get(session, 0)
        known: list[bytes] = []
        suspects: list[bytes] = []
        for no, digests in self._taken.get(session, {}).items():
            (known if no <= confirmed else suspects).extend(digests)
        return SessionMemory(suspects=tuple(suspects), known=tuple(known))

    # Devices

    async def add_device(self, device: Device, login: MqttLogin) -> Device:
        (added,) = await self.add_devices([(device, login)])
        return added

    def _insert_device(self, device: Device, login: MqttLogin) -> Device:
        device = msgspec.structs.replace(device, num=self._next("device"))
        self._devices[device.id] = device
        self._logins[device.id] = login
        self.owners[device.id] = device.user_id
        return device

    async def add_devices(
        self, made: Sequence[tuple[Device, MqttLogin]], most: int | None = None
    ) -> list[Device]:
        await self._cross()
        if made:
            mine = [d for d in self._devices.values() if d.user_id == made[0][0].user_id]
            check_room("devices", len(mine), len(made), most)
        taken = {device.key for device in self._devices.values()}
        for device, _ in made:
            if device.key in taken:
                raise Conflict(f"you have a device {device.code!r} already")
            taken.add(device.key)
        added = [self._insert_device(device, login) for device, login in made]
        for user_id in dict.fromkeys(device.user_id for device in added):
            self._tell_if_heard(user_id)
        return added

    async def devices(self, user_id: str, limit: int, after: int) -> list[Device]:
        found = await self.snapshot(user_id)
        return [device for device in found if device.num > after][:limit]

    async def device(self, user_id: str, device_id: str) -> Device | None:
        await self._cross()
        device = self._devices.get(device_id)
        return device if device is not None and device.user_id == user_id else None

    async def update_device(self, device: Device, known: int | None = None) -> None:
        await self._cross()
        current = self._devices.get(device.id)
        if current is not None:
            revision = revised(current.revision, known)
            self._devices[device.id] = msgspec.structs.replace(
                device, state=current.state, revision=revision
            )
            self._tell_if_heard(device.user_id)

    async def delete_device(self, user_id: str, device_id: str, purge: bool) -> None:
        await self._cross()
        device = self._devices.get(device_id)
        if device is None or device.user_id != user_id:
            return
        for feed in [each for each in self._feeds.values() if each.device_id == device_id]:
            if purge:
                self._drop_feed(feed)
            else:
                self._feeds[feed.id] = msgspec.structs.replace(
                    feed, device_id=None, archived=True, enabled=False
                )
        self._drop_alarms(device_num=device.num)
        self._drop_commands(device.num)
        self._drop_schedules(device_id)
        del self._devices[device_id]
        del self._logins[device_id]
        self._tell_if_heard(user_id)
        self._not_kept.pop(device.key, None)

    def _is_gone(self, work: str, subject: str) -> bool:
        if work == DEVICES:
            user_id, _, code = subject.partition("/")
            return all(device.key != (user_id, code) for device in self._devices.values())
        if work == HISTORY:
            keep = [f for f in self._feeds.values() if f.retain_days is not None]
            return all(str(feed.num) != subject for feed in keep)
        if work == SESSIONS:
            return True  # nothing of a session is damaged here
        if work == LISTENERS:
            return not is_uuid(subject)
        if work == ROWS:
            noun, _, num = subject.rpartition(" ")
            return noun not in ROWS_OF or re.fullmatch("[0-9]{1,18}", num) is None
        if work == ROLLUPS:
            found = rollup_of(subject)
            feeds = {feed.num for feed in self._feeds.values()}
            return not isinstance(found, str) and (found is None or found[0] not in feeds)
        return super()._is_gone(work, subject)

    async def set_login(self, device_id: str, login: MqttLogin) -> None:
        await self._cross()
        if device_id not in self._devices:
            return
        self._logins[device_id] = login
        self._devices[device_id] = msgspec.structs.replace(
            self._devices[device_id], client_id=login.client_id
        )

    async def logins(self, usernames: Sequence[str]) -> dict[str, MqttLogin]:
        await self._cross()
        wanted = set(usernames)
        return {each.username: each for each in self._logins.values() if each.username in wanted}

    async def issued(self, usernames: Sequence[str]) -> set[str]:
        await self._cross()
        known = {each.username for each in self._logins.values()}
        known.update(each.username for each in self._listeners.values())
        return known.intersection(usernames)

    # Feeds

    async def add_feed(
        self, feed: Feed, most: int | None = None, most_of_device: int | None = None
    ) -> Feed:
        await self._cross()
        mine = [each for each in self._feeds.values() if each.user_id == feed.user_id]
        check_room("feeds", len(mine), 1, most)
        there = [each for each in mine if each.device_id == feed.device_id and not each.archived]
        check_room(place_of_feeds(feed.device_id), len(there), 1, most_of_device)
        place = feed.user_id, feed.device_id, feed.key
        for other in self._feeds.values():
            if not other.archived and (other.user_id, other.device_id, other.key) == place:
                raise Conflict(f"there is a feed {feed.key!r} in this place already")
        feed = msgspec.structs.replace(feed, num=self._next("feed"))
        self._feeds[feed.id] = feed
        self.owners[feed.id] = feed.user_id
        self._tell_if_heard(feed.user_id)
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
        feed = self._feeds.get(feed_id)
        return feed if feed is not None and feed.user_id == user_id else None

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
        self._tell_if_heard(feed.user_id)

    async def delete_feed(self, user_id: str, feed_id: str) -> None:
        await self._cross()
        feed = self._feeds.get(feed_id)
        if feed is not None and feed.user_id == user_id:
            self._drop_feed(feed)
            self._tell_if_heard(user_id)

    def _drop_feed(self, feed: Feed) -> None:
        del self._feeds[feed.id]
        self._readings.pop(feed.num, None)
        self._forget_feed(feed)
        self._drop_alarms(feed_num=feed.num)
        for name in [each for each in self._message_ids if each[0] == feed.num]:
            del self._message_ids[name]

    # Readings and refusals

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


def _acks(batch: Batch) -> list[AckChange]:
    return [ack for unit in batch.units for ack in unit.acks]

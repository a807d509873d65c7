"""Classic mistakes, to be planted one at a time: does the search find them?

Each is a context in which one part of Roost (or of what it stands on) is wrong. The checkers know
nothing of them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
import trio

import actors.device.actor
import actors.device.feed
import actors.ingest.intake
from actors.adapters.memory.store.store import MemoryStore
from actors.device import status
from actors.device.feed import FeedState
from actors.ingest.counters import Counters
from actors.ingest.gateway import Gateway
from actors.ingest.left_messages import LeftMessages
from actors.ingest.redelivery import SessionRedelivery
from actors.ingest.rejections import refused_whole
from actors.ingest.writer import Writer
from actors.ports.broker import Delivery
from actors.ports.store import Batch, Committed
from actors.runtime.mailbox import Lane
from actors.service import Service
from actors.user.actor import UserActor
from actors.user.outbox import Outbox
from actors.user.registry import Users
from protocol.device.values import take_value
from protocol.errors import Reason, Refusal, Unavailable, Unstorable
from protocol.events import DeviceList, Event
from protocol.messages import SnapshotRead, Subscribed
from protocol.problems.detail import Detail
from protocol.records import Destination, Origin, Reading, SessionMemory, StoredReading, WriteUnit

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
PLANTS: dict[str, Plant] = {}


def plant(name: str) -> Callable[[Plant], Plant]:
    def add(planting: Plant) -> Plant:
        PLANTS[name] = planting
        return planting

    return add


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Roost with that mistake."""
    with pytest.MonkeyPatch.context() as patch:
        PLANTS[name](patch)
        yield


@plant("acknowledged before the commit")
def early_ack(patch: Patch) -> None:
    deliver = Gateway.deliver

    def mistaken(self: Gateway, delivery: Delivery) -> None:
        deliver(self, delivery)
        if delivery.packet_id and not self.room.is_closed:
            self._broker.acknowledge(delivery.session, delivery.connection, [delivery.packet_id])

    patch.setattr(Gateway, "deliver", mistaken)


@plant("an id is known without its content")
def bare_id(patch: Patch) -> None:
    store_readings = MemoryStore._store_readings

    def mistaken(self: MemoryStore, readings: Sequence[Reading]) -> int:
        of_ids = [each for each in readings if each.message_id is not None]
        named = {(feed, device, name) for feed, device, name, _ in self._message_ids}
        again = [
            r for r in of_ids if r.message_id and (r.feed_num, r.device_num, r.message_id) in named
        ]
        left = [each for each in readings if each not in again]
        return len(again) + store_readings(self, left)

    patch.setattr(MemoryStore, "_store_readings", mistaken)


@plant("no unique key")
def no_key(patch: Patch) -> None:
    def mistaken(self: MemoryStore, readings: Sequence[Reading]) -> int:
        for reading in readings:
            feed = self._readings.setdefault(reading.feed_num, {})
            place = reading.ts_us, reading.device_num, reading.digest + len(feed)
            feed[place] = StoredReading(*place, reading.value, reading.flagged)
            if reading.into is Destination.LAST_VALUE:
                self._set_last(reading)
        return 0

    patch.setattr(MemoryStore, "_store_readings", mistaken)


@plant("last value by arrival")
def last_by_arrival(patch: Patch) -> None:
    def mistaken(self: MemoryStore, reading: Reading) -> None:
        for feed in self._feeds.values():
            if feed.num == reading.feed_num:
                self._feeds[feed.id] = msgspec.structs.replace(
                    feed, last_value=reading.value, last_us=reading.ts_us
                )
                return

    patch.setattr(FeedState, "_is_newest", lambda self, ts_us, digest: True)
    patch.setattr(MemoryStore, "_set_last", mistaken)


@plant("mailbox without a bound")
def no_bound(patch: Patch) -> None:
    def mistaken(self: Lane[Any], item: Any) -> None:
        self._items.append(item)

    patch.setattr(Lane, "put", mistaken)


@plant("forgotten receipt")
def forgotten_receipt(patch: Patch) -> None:
    def mistaken(*args: Any) -> WriteUnit:
        return msgspec.structs.replace(refused_whole(*args), receipt=None)

    patch.setattr(actors.device.actor, "refused_whole", mistaken)


@plant("a late will wins")
def late_will(patch: Patch) -> None:
    patch.setattr(status, "is_late", lambda state, report, event_us: False)


@plant("PUBACK on a new connection")
def stray_ack(patch: Patch) -> None:
    settle = SessionRedelivery.settle

    def mistaken(
        self: SessionRedelivery, no: int, receipts: list[Any], now_s: float = 0.0
    ) -> list[int]:
        for receipt in receipts:
            receipt.connection = self.connection
        return sorted({*settle(self, no, receipts, now_s), *(each.packet_id for each in receipts)})

    patch.setattr(SessionRedelivery, "settle", mistaken)


@plant("swallowed batch error")
def swallowed(patch: Patch) -> None:
    async def mistaken(self: Writer, batch: Batch) -> Committed:
        try:
            return await self._store.commit(batch)
        except Unavailable:
            return Committed(no=self._no, duplicates=[0] * len(batch.units))

    patch.setattr(Writer, "_write", mistaken)


@plant("snapshot read before subscribing")
def early_snapshot(patch: Patch) -> None:
    step = UserActor.step

    def mistaken(self: UserActor, message: Any, now_us: int) -> Any:
        if isinstance(message, Subscribed):
            effects = step(self, message, now_us)
            self._outboxes.pop(id(message.outbox))
            return effects
        if isinstance(message, SnapshotRead):
            for outbox, _ in message.outboxes:
                assert isinstance(outbox, Outbox)
                self._outboxes[id(outbox)] = outbox
                outbox.open(DeviceList(message.devices))
            return []
        return step(self, message, now_us)

    patch.setattr(UserActor, "step", mistaken)


@plant("only the first page of a list is shown")
def first_page_alone(patch: Patch) -> None:
    patch.setattr(Outbox, "extend", lambda self, devices, *, is_last: None)


@plant("a redelivery overwrites state")
def redelivery_counts(patch: Patch) -> None:
    def mistaken(*args: Any) -> Origin:
        return msgspec.structs.replace(Origin(*args), again=False)

    patch.setattr(actors.ingest.intake, "Origin", mistaken)


@plant("batch partly acknowledged")
def half_acknowledged(patch: Patch) -> None:
    """Of a batch only the first half gets its PUBACKs."""
    committed = Gateway.committed

    def mistaken(self: Gateway, no: int, units: Sequence[WriteUnit]) -> None:
        half = (len(units) + 1) // 2
        kept = [msgspec.structs.replace(unit, receipt=None) for unit in units[half:]]
        committed(self, no, [*units[:half], *kept])

    patch.setattr(Gateway, "committed", mistaken)


@plant("poison takes its neighbours along")
def poisoned_batch(patch: Patch) -> None:
    async def mistaken(self: Writer, units: Sequence[WriteUnit], error: Unstorable) -> None:
        self._settle(units, Committed(no=self._no, duplicates=[0] * len(units)))

    patch.setattr(Writer, "_bisect", mistaken)


@plant("a retry under a new name")
def new_name(patch: Patch) -> None:
    write = Writer._write

    async def mistaken(self: Writer, batch: Batch) -> Committed:
        send = self._store.commit

        async def renamed(batch: Batch) -> Committed:
            return await send(msgspec.structs.replace(batch, id=self._ids.uuid()))

        class Renaming:
            commit = staticmethod(renamed)

        self._store, store = Renaming(), self._store  # type: ignore[assignment]
        try:
            return await write(self, batch)
        finally:
            self._store = store

    patch.setattr(Writer, "_write", mistaken)


@plant("identities forgotten by the next process")
def forgotten_identities(patch: Patch) -> None:
    async def mistaken(self: MemoryStore, session: str) -> SessionMemory:
        await self._cross()
        return SessionMemory()

    patch.setattr(MemoryStore, "session_memory", mistaken)


@plant("an unfinished commit is not waited for")
def unfinished_commit(patch: Patch) -> None:
    async def mistaken(self: MemoryStore) -> None:
        return

    patch.setattr(MemoryStore, "_wait_done", mistaken)


@plant("right readings are refused")
def refused_right(patch: Patch) -> None:
    take = take_value

    def mistaken(kind: Any, raw: Any) -> Any:
        if isinstance(raw, int) and raw % 50 == 7:
            raise Refusal(Reason.BAD_VALUE, Detail("value_missing"))
        return take(kind, raw)

    patch.setattr(actors.device.feed, "take_value", mistaken)


@plant("everybody is told")
def told_to_all(patch: Patch) -> None:
    tell = Users.tell

    def mistaken(self: Users, user_id: str, event: Event) -> None:
        for each in list(self._cells):
            tell(self, each, event)

    patch.setattr(Users, "tell", mistaken)


@plant("what was left is never fetched")
def never_fetched(patch: Patch) -> None:
    async def mistaken(self: LeftMessages) -> None:
        await trio.sleep_forever()

    patch.setattr(LeftMessages, "run", mistaken)


@plant("duplicates are not accounted for")
def lost_account(patch: Patch) -> None:
    settled = Counters.settled

    def mistaken(self: Counters, device: tuple[str, str], **outcomes: int) -> None:
        settled(self, device, **{**outcomes, "duplicate": 0})

    patch.setattr(Counters, "settled", mistaken)


@plant("an end without a drain")
def not_drained(patch: Patch) -> None:
    async def mistaken(self: Service) -> None:
        self.gateway.close()
        await trio.lowlevel.checkpoint()

    patch.setattr(Service, "drain", mistaken)

"""Commits in the store's twin: the writer's batches, and the lead that fences them.

A commit continues when its client has gone: it is done when its time is over.
"""

from collections.abc import Collection

import msgspec
import trio

from actors.adapters.memory.store.devices import DeviceTables
from actors.adapters.memory.store.lead import LeadRow
from actors.adapters.memory.store.rules import check_storable
from actors.ports.lead import Lead
from actors.ports.store import Batch, Committed
from actors.runtime.clock import WallClock
from protocol.device.commands import CommandKey
from protocol.device.values import Value
from protocol.errors import Fenced, Unavailable, Unstorable
from protocol.records import (
    AckChange,
    Destination,
    Reading,
    Rejection,
    SessionMemory,
    WriteUnit,
)

KEPT_BATCHES = 64
LOCK_TIMEOUT_S = 2.0  # how long one call waits for running commits


class Poisoned(Unstorable):
    """A fault of a test: a row that breaks a rule which only the database knows."""


class _Running(msgspec.Struct, frozen=True):
    """A commit that the server is executing: its number is assigned, its rows are not visible
    yet."""

    batch: Batch
    no: int
    due_s: float


class CommitTables(DeviceTables):
    """See `actors.ports.store.Store`.

    Attributes:
        poison: values that it refuses to store (`Unstorable`), like a row that breaks a rule.
    """

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self.poison: set[Value] = set()
        self._lead = LeadRow()
        self._running: dict[str, _Running] = {}
        self._commits: dict[str, Committed] = {}
        self._taken: dict[str, dict[int, list[bytes]]] = {}
        self._confirmed: dict[str, int] = {}

    async def hold_lead(
        self, holder: str, lease_s: float, *, seize: bool = False, is_fit: bool = True
    ) -> Lead:
        await self._cross()
        return self._lead.hold(holder, lease_s, seize=seize, is_fit=is_fit)

    async def resign_lead(self, holder: str) -> None:
        await self._cross()
        self._lead.resign(holder)

    def forget_lead(self) -> None:
        """Nobody holds the lease, as after the database was restored."""
        self._lead.forget()

    async def commit(self, batch: Batch) -> Committed:
        self.begin(batch, 0.0)
        return await self.finish(batch.id)

    def begin(self, batch: Batch, work_s: float) -> None:
        """The server has received a whole commit: it is done in `work_s`, whatever happens to the
        client.

        Until then nothing of it is visible. Raises `Unstorable`.
        """
        self._catch_up()
        if batch.id in self._commits or batch.id in self._running:
            return  # the first try has the batch's name; this one waits for it
        if batch.epoch not in (0, self._lead.epoch):
            raise Fenced("another process leads")
        for unit in batch.units:
            self._check(unit)
        self._check_acks(_acks(batch))
        due_s = trio.current_time() + work_s
        self._running[batch.id] = _Running(batch, self._next("commit"), due_s)

    async def finish(self, name: str) -> Committed:
        """Wait until the batch with that name is done."""
        await trio.lowlevel.checkpoint()
        while name in self._running:
            await trio.sleep_until(self._running[name].due_s)
            self._catch_up()
        return self._commits[name]

    def done(self, name: str) -> Committed | None:
        """The result of the batch with that name, if it is done."""
        self._catch_up()
        return self._commits.get(name)

    def is_locked(self, key: CommandKey) -> bool:
        """Whether a running commit has locked the command, so that nobody else can change it."""
        running = [ack for each in self._running.values() for ack in _acks(each.batch)]
        return any(ack.command_key == key for ack in running)

    def _catch_up(self) -> None:
        """Apply what the server has finished by now, in that order."""
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
        begun = self._begun_feeds(batch)
        mine = [[r for r in unit.readings if self._is_new(unit, r, begun)] for unit in batch.units]
        duplicates = [
            len(unit.readings) - len(some) + self._store_readings(some)
            for unit, some in zip(batch.units, mine, strict=True)
        ]
        self._note_minutes([reading for some in mine for reading in some])
        listed: list[Rejection] = []
        for unit in sorted(batch.units, key=lambda unit: unit.is_copy):
            if unit.state is not None:
                self._store_state(unit)
            listed += self._refuse(unit)
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
        return Committed(
            no=no, duplicates=duplicates, changed=changed, unknown=unknown, listed=tuple(listed)
        )

    def _is_new(self, unit: WriteUnit, reading: Reading, begun: Collection[int]) -> bool:
        """Whether it is no copy of a retained message that is stored or was deleted."""
        if not unit.is_copy:
            return True
        until_us = self._deleted_until.get(reading.feed_num)
        if reading.into is Destination.EMPTY_HISTORY:
            return until_us is None and reading.feed_num not in begun
        return until_us is None or reading.ts_us > until_us

    def _begun_feeds(self, batch: Batch) -> set[int]:
        """The feeds of this batch that have a reading, or get one that has a time."""
        readings = [reading for unit in batch.units for reading in unit.readings]
        return {
            reading.feed_num
            for reading in readings
            if reading.into is not Destination.EMPTY_HISTORY or self._readings.get(reading.feed_num)
        }

    def _store_state(self, unit: WriteUnit) -> None:
        change = unit.state
        assert change is not None
        for device in self._devices.values():
            if device.num == change.device_num and device.state.version < change.state.version:
                self._devices[device.id] = msgspec.structs.replace(device, state=change.state)
                return

    async def _wait_done(self) -> None:
        """Wait until earlier commits are done. Raises `Unavailable` after two seconds."""
        with trio.move_on_after(LOCK_TIMEOUT_S):
            while self._running:
                await trio.sleep_until(max(each.due_s for each in self._running.values()))
                self._catch_up()
        if self._running:
            raise Unavailable("an earlier commit has not ended yet")

    async def session_memory(self, session: str) -> SessionMemory:
        await self._cross()
        await self._wait_done()
        confirmed = self._confirmed.get(session, 0)
        known: list[bytes] = []
        suspects: list[bytes] = []
        for no, digests in self._taken.get(session, {}).items():
            (known if no <= confirmed else suspects).extend(digests)
        return SessionMemory(suspects=tuple(suspects), known=tuple(known))


def _acks(batch: Batch) -> list[AckChange]:
    return [ack for unit in batch.units for ack in unit.acks]

"""The writer: adaptive group commit. Only the writer writes readings and device state.

It commits whenever it is free. There is no fixed delay: a batch is what arrived during the last
commit, but at most a share of it is from one device, so a device that sends much waits behind its
own units. Units of a device keep their order, and a unit is never split between commits, so its
receipt settles once. While the database does not answer, the writer keeps the batch and retries;
nothing is acknowledged meanwhile. A batch without an answer may be stored: it is retried unchanged,
with its own id, also after a failure of the writer itself. A batch that fails because of its
content is halved until the bad unit is alone and is recorded as refused.
"""

import random
from collections import deque
from collections.abc import Sequence
from functools import partial

import msgspec
import structlog
import trio

from actors.ingest.barriers import Barriers
from actors.ingest.commit_listener import CommitListener
from actors.ingest.counters import Counters
from actors.ingest.fair_lane import FairLane
from actors.ingest.poison import without_poison
from actors.ports.ids import Ids
from actors.ports.store import Batch, Committed, Store
from actors.runtime.histogram import ROWS, SECONDS, Histogram
from actors.runtime.mailbox import Lane, Mailbox
from actors.runtime.retry import Pauses, until_available
from protocol.errors import Fenced, Unavailable, Unstorable, in_words
from protocol.records import WriteUnit

log = structlog.get_logger("roost.writer")

# Rows in one commit. Beyond some thousands a larger batch gains little, and everybody in it waits.
# Encoding 5,000 rows for its one statement blocked the event loop for up to 100 ms.
ROWS_MAX = 2_500
# The part of one device, so that one alone does not make everybody wait for a large commit: a fifth
# of the rows takes a quarter of the time.
DEVICE_ROWS_MAX = 500
# Above the gateway's limit of messages in flight, each of which is one unit.
UNITS_MAX = 120_000
RETRY_FIRST_S = 0.05
RETRY_MAX_S = 2.0
# How long a confirmation may wait for the next commit.
CONFIRM_DELAY_S = 1.0


_Waiting = (
    tuple[int, WriteUnit] | None
)  # with its number; None wakes a writer that has nothing to do


class WriterStatistics(msgspec.Struct, frozen=True, kw_only=True):
    waiting: int
    commits: int
    rows: int
    retries: int
    set_aside: int
    last_commit_s: float
    stuck_since_s: float | None
    commit_since_s: float | None  # of the running commit, with all its retries


class Writer:
    """Usage: `nursery.start_soon(writer.run, listener)`; `writer.submit(unit)` from anywhere.

    Attributes:
        epoch: the number of the lead under which it commits.
        durations: of commits, in seconds, with all tries of each.
        batches: rows in each commit.
    """

    def __init__(
        self,
        store: Store,
        ids: Ids,
        counters: Counters,
        rng: random.Random,
    ) -> None:
        self._store = store
        self._ids = ids
        self._counters = counters
        self._rng = rng
        self.epoch = 0
        self.durations = Histogram(SECONDS)
        self.batches = Histogram(ROWS)
        self._listener: CommitListener  # since it runs
        waiting = FairLane[_Waiting](UNITS_MAX, _device_of, _rows_of, DEVICE_ROWS_MAX)
        self._mailbox = Mailbox[_Waiting](control=Lane(1), data=waiting)
        self._backlog: deque[tuple[int, WriteUnit]] = deque()  # with their numbers
        # The units of the current batch are the first of the backlog, or the refusal of the first
        # one.
        self._unanswered: Batch | None = None
        self._confirmed: dict[str, int] = {}
        self._is_ending = False
        self._barriers = Barriers()
        self._no = 0
        self._commits = self._rows = self._retries = self._set_aside = 0
        self._last_commit_s = 0.0
        self._stuck_since_s: float | None = None
        self._commit_since_s: float | None = None

    def submit(self, unit: WriteUnit) -> None:
        """Submit a unit. The gateway's limit of messages in flight keeps the queue below its
        bound."""
        self._mailbox.put_nowait((self._barriers.newest + 1, unit))
        self._barriers.add()

    def confirm(self, session: str, no: int) -> None:
        """Let the store forget the digests of a session up to a commit.

        It is stored with the next commit, or by itself if there is none within a second.
        """
        if not self._confirmed and not len(self._mailbox.control):
            self._mailbox.put_nowait(None, control=True)  # wakes a writer that has nothing to do
        self._confirmed[session] = no

    @property
    def is_confirming(self) -> bool:
        """Whether a confirmation waits and the store is fast enough to write it: a slow store would
        still be writing it when the next process begins."""
        return bool(self._confirmed) and self._last_commit_s < CONFIRM_DELAY_S

    def hasten(self) -> None:
        """At the end: a confirmation no longer waits for another commit."""
        self._is_ending = True
        if not len(self._mailbox.control):
            self._mailbox.put_nowait(None, control=True)

    async def barrier(self) -> None:
        """Wait until everything submitted before now is committed."""
        await self._barriers.wait()

    async def run(self, listener: CommitListener) -> None:
        """Commit for ever. After a failure continue with the same batch, under the same id."""
        self._listener = listener
        while True:
            if self._unanswered is not None:
                await self._send(self._unanswered)
                continue
            if not self._backlog:
                await self._fill()
            await self._commit(self._next_batch())

    async def _fill(self) -> None:
        while not self._backlog:
            with trio.move_on_after(self._confirm_after_s()) as waited:
                taken = await self._mailbox.take(ROWS_MAX)
                self._backlog.extend(filter(None, taken))
            if waited.cancelled_caught:
                await self._commit([])

    def _confirm_after_s(self) -> float:
        """How long a confirmation waits for the next commit."""
        if not self._confirmed:
            return float("inf")
        return 0.0 if self._is_ending and self.is_confirming else CONFIRM_DELAY_S

    def _next_batch(self) -> list[WriteUnit]:
        batch: list[WriteUnit] = []
        rows = 0
        for _, unit in self._backlog:
            rows += unit.rows
            if batch and rows > ROWS_MAX:
                break
            batch.append(unit)
        return batch

    async def _commit(self, units: Sequence[WriteUnit]) -> None:
        confirmed = dict(self._confirmed)
        if not confirmed and all(unit.is_empty for unit in units):
            self._settle(units, Committed(no=self._no, duplicates=[0] * len(units)))
            return
        batch = Batch(id=self._ids.uuid(), units=units, confirmed=confirmed, epoch=self.epoch)
        await self._send(batch)

    async def _send(self, batch: Batch) -> None:
        self._unanswered = batch
        try:
            committed = await self._write(batch)
        except Unstorable as error:
            self._unanswered = None
            await self._bisect(batch.units, error)
            return
        except Fenced:
            self._unanswered = self._stuck_since_s = None
            self._confirmed.clear()
            self._give_up(batch.units, batch.epoch)
            return
        self._unanswered = None
        for session, no in batch.confirmed.items():
            if self._confirmed.get(session) == no:
                del self._confirmed[session]
        self._no = committed.no
        self._settle(batch.units, committed)

    async def _write(self, batch: Batch) -> Committed:
        started_s = self._commit_since_s = trio.current_time()
        pauses = Pauses(RETRY_FIRST_S, RETRY_MAX_S, self._rng)
        try:
            commit = partial(self._store.commit, batch)
            committed = await until_available(commit, pauses, self._waits)
        finally:
            self._commit_since_s = None
        if self._stuck_since_s is not None:
            log.info("commits work again", after_s=trio.current_time() - self._stuck_since_s)
        self._stuck_since_s = None
        self._commits += 1
        self._last_commit_s = trio.current_time() - started_s
        self.durations.add(self._last_commit_s)
        self.batches.add(sum(unit.rows for unit in batch.units))
        return committed

    def _waits(self, error: Unavailable) -> None:
        self._retries += 1
        if self._stuck_since_s is None:
            self._stuck_since_s = self._commit_since_s
            log.warning("commit waits for the database", error=in_words(error))

    def _settle(self, units: Sequence[WriteUnit], committed: Committed) -> None:
        numbers = self._take_off(units)
        for unit, duplicate in zip(units, committed.duplicates, strict=True):
            self._rows += unit.rows
            self._counters.settled(
                unit.device,
                stored=len(unit.readings) - duplicate,
                duplicate=duplicate,
                refused=unit.refused,
                unowned=unit.unowned,
            )
        try:
            self._listener.committed(committed, units)
        finally:
            self._barriers.done(numbers)  # even if the listener fails, no waiter hangs

    def _give_up(self, units: Sequence[WriteUnit], epoch: int) -> None:
        """Another process has led: the present leader gets the messages again from the broker."""
        log.warning("units are given up: another process has led", units=len(units))
        numbers = self._take_off(units)
        for unit in units:
            readings = len(unit.readings) + unit.refused
            if unit.receipt is None:  # QoS 0: nobody has it any more
                self._counters.shed(unit.device, readings)
                self._counters.settled(unit.device, unowned=unit.unowned)
            else:
                self._counters.settled(unit.device, duplicate=readings, unowned=unit.unowned)
        try:
            self._listener.gave_up(units, epoch)
        finally:
            self._barriers.done(numbers)

    def _take_off(self, units: Sequence[WriteUnit]) -> list[int]:
        """Remove these units, the first of the backlog (or half a batch); return their numbers."""
        return [self._backlog.popleft()[0] for _ in units]

    async def _bisect(self, units: Sequence[WriteUnit], error: Unstorable) -> None:
        """Find the unit that fails the batch; the others are committed, in their order."""
        if len(units) > 1:
            half = len(units) // 2
            await self._commit(units[:half])
            await self._commit(units[half:])
            return
        unit = units[0]
        self._set_aside += 1
        log.error("unit cannot be stored", device=unit.device, error=in_words(error))
        better = without_poison(unit, in_words(error))
        if better is not None:
            await self._commit([better])
            return
        # Not even its refusal can be stored: it is in the log, and the service continues.
        log.error("refusal cannot be stored", unit=repr(unit)[:4_000])
        self._settle(units, Committed(no=self._no, duplicates=[0]))

    def statistics(self) -> WriterStatistics:
        return WriterStatistics(
            waiting=len(self._mailbox) + len(self._backlog),
            commits=self._commits,
            rows=self._rows,
            retries=self._retries,
            set_aside=self._set_aside,
            last_commit_s=self._last_commit_s,
            stuck_since_s=self._stuck_since_s,
            commit_since_s=self._commit_since_s,
        )


def _device_of(waiting: _Waiting) -> tuple[str, str] | None:
    return None if waiting is None else waiting[1].device


def _rows_of(waiting: _Waiting) -> int:
    return 0 if waiting is None else waiting[1].rows

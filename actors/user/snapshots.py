"""Reads a user's devices for dashboards that begin, page by page; all that wait share one reading.

Each page is a separate step, so a user with 30,000 devices blocks nobody, and the first devices are
on the screen while the others are still being read.
"""

from collections.abc import Awaitable, Callable, Collection
from functools import partial

import structlog
import trio

from actors.ports.store import Store
from actors.runtime.supervisor import Supervisor
from actors.user.outbox import Outbox
from protocol.errors import RoostError, in_words
from protocol.messages import SnapshotRead

log = structlog.get_logger("roost.users")

# Devices of a page, and of the first `device_list` (CONTRACT §3).
PAGE_MAX = 1_000
RETRY_S = 0.5


class Snapshots:
    """Args:
    written: waits until everything submitted to the writer before is in the store.
    watching: the outboxes of a user's open dashboards.
    deliver: sends a page to the user's actor.
    """

    def __init__(
        self,
        store: Store,
        supervisor: Supervisor,
        *,
        written: Callable[[], Awaitable[None]],
        watching: Callable[[str], Collection[Outbox]],
        deliver: Callable[[str, SnapshotRead], Awaitable[None]],
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._written = written
        self._watching = watching
        self._deliver = deliver
        # Of users whose devices are being read: the outboxes that they are read for, and those that
        # have come since.
        self._reading: dict[str, tuple[Outbox, ...]] = {}
        self._wanting: dict[str, list[Outbox]] = {}

    def want(self, user_id: str, outbox: Outbox) -> None:
        """Read the user's devices for this outbox, from now on or when the reading that is under
        way is done: that one began before the outbox did."""
        if user_id in self._wanting:
            if not any(each is outbox for each in self._wanting[user_id]):
                self._wanting[user_id].append(outbox)
            return
        self._reading[user_id], self._wanting[user_id] = (), [outbox]
        self._supervisor.run_contained(
            f"snapshot {user_id}",
            partial(self._read_all, user_id),
            gave_up=partial(self._give_up, user_id),
        )

    def _give_up(self, user_id: str) -> None:
        for outbox in (*self._reading.pop(user_id), *self._wanting.pop(user_id)):
            outbox.close()

    async def _read_all(self, user_id: str) -> None:
        while self._begin(user_id):
            await self._read(user_id, self._reading[user_id])
            self._reading[user_id] = ()
        del self._reading[user_id], self._wanting[user_id]

    def _begin(self, user_id: str) -> bool:
        """Begin a reading for those that wait, and those for whom the one before failed."""
        wanting = {id(each): each for each in (*self._reading[user_id], *self._wanting[user_id])}
        self._reading[user_id], self._wanting[user_id] = tuple(wanting.values()), []
        return self._is_watched(user_id)

    def _is_watched(self, user_id: str) -> bool:
        """Whether one of those that a reading is for is still open."""
        open_now = {id(each) for each in self._watching(user_id)}
        return any(id(each) in open_now for each in self._reading[user_id])

    async def _read(self, user_id: str, outboxes: tuple[Outbox, ...]) -> None:
        reading = tuple((each, each.holds) for each in outboxes)
        # What living actors told before these outboxes were there.
        await self._written()
        is_first, after = True, 0
        while self._is_watched(user_id):
            try:
                devices, then = await self._store.snapshot(user_id, after, PAGE_MAX)
            except RoostError as error:
                log.warning("snapshot waits for the database", error=in_words(error))
                await trio.sleep(RETRY_S)
                continue
            page = SnapshotRead(
                outboxes=reading,
                devices=tuple(devices),
                at_s=trio.current_time(),
                is_first=is_first,
                is_last=then is None,
            )
            await self._deliver(user_id, page)
            if then is None:
                return
            is_first, after = False, then

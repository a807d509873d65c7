"""Finds user actors: there is one while the user has an open dashboard, none otherwise."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

import structlog
import trio

from actors.ports.store import Store
from actors.runtime.cell import Cell
from actors.runtime.histogram import SECONDS, Histogram
from actors.runtime.mailbox import Lane, Mailbox, Overflow
from actors.runtime.supervisor import Supervisor
from actors.user.actor import UserActor
from actors.user.outbox import Outbox
from actors.user.snapshots import Snapshots
from protocol.errors import Busy
from protocol.events import Event, Staleness
from protocol.messages import (
    GivenUp,
    Happened,
    Renewed,
    SnapshotRead,
    Subscribed,
    Unsubscribed,
    UserEffect,
    UserMessage,
)
from protocol.problems.detail import Detail

log = structlog.get_logger("roost.users")

# Events of one user between two turns of its actor; beyond it the newest of each device and feed.
EVENTS_MAX = 16_384
# Dashboards of one user that connect or disconnect; a connecting one waits for room itself.
CONTROL_MAX = 256
# Each costs two tasks, a socket, up to 1.2 MB of waiting events, and while it opens a reference to
# each device of the user.
DASHBOARDS_MAX = 100


class Users:
    """The living user actors.

    Args:
        written: waits until everything submitted to the writer before is in the store.

    Attributes:
        delays: of events, from the moment they are told until their frames are written (s).
    """

    def __init__(
        self,
        store: Store,
        supervisor: Supervisor,
        written: Callable[[], Awaitable[None]],
        on_step: Callable[[str, UserMessage], None] | None = None,
    ) -> None:
        self.delays = Histogram(SECONDS)
        self._supervisor = supervisor
        self._snapshots = Snapshots(
            store,
            supervisor,
            written=written,
            watching=lambda user_id: self._watching.get(user_id, ()),
            deliver=self._bring,
        )
        self._on_step = on_step
        self._cells: dict[str, Cell[UserMessage, UserEffect]] = {}
        self._watching: dict[str, list[Outbox]] = {}
        # Users whose actor has lost events, until snapshots are read again.
        self._lossy: set[str] = set()

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def cells(self) -> Collection[Cell[UserMessage, UserEffect]]:
        """The cells of living actors."""
        return self._cells.values()

    @property
    def outboxes(self) -> list[Outbox]:
        """The outboxes of all open dashboards."""
        return [box for boxes in self._watching.values() for box in boxes]

    def tell(self, user_id: str, event: Event) -> None:
        """Send an event to the user's dashboards, if there are any. Never blocks."""
        cell = self._cells.get(user_id)
        if cell is None:
            return
        lane = cell.mailbox.data
        shed = lane.shed
        cell.mailbox.put_nowait(Happened(event=event, at_s=trio.current_time()))
        if lane.shed > shed and user_id not in self._lossy:
            self._lossy.add(user_id)  # one new snapshot covers everything that is lost before it
            self.renew(user_id)

    def tell_all(self, event: Event) -> None:
        for user_id in self._cells:
            self.tell(user_id, event)

    def renew(self, user_id: str) -> None:
        """A change may have been made without an event: this user's dashboards get a snapshot."""
        if user_id in self._cells:
            self._ask(user_id, Renewed())

    def renew_all(self) -> None:
        """Dashboards may show what was never stored: all begin again with a snapshot."""
        for user_id in self._cells:
            self.renew(user_id)

    def give_up(self) -> None:
        """Another process has led: what was judged here may never be stored, and is not sent any
        more. `renew_all` must follow."""
        for user_id, cell in self._cells.items():
            waiting = cell.mailbox.data.take(EVENTS_MAX)
            self._ask(user_id, GivenUp())
            for message in waiting:
                if isinstance(message, Happened) and isinstance(message.event, Staleness):
                    cell.mailbox.put_nowait(message)

    def _ask(self, user_id: str, message: UserMessage) -> None:
        try:
            self._cells[user_id].mailbox.put_nowait(message, control=True)
        except trio.WouldBlock:
            for outbox in self._watching[user_id]:
                outbox.close()  # too many connect and disconnect: these must connect again

    @asynccontextmanager
    async def watch(self, user_id: str, most: int | None = None) -> AsyncIterator[Outbox]:
        """An outbox that is filled while the block runs, beginning with a `DeviceList`.

        Args:
            most: how many dashboards one user may have; the default is `DASHBOARDS_MAX`.

        Raises:
            Busy: this user has too many open dashboards.
        """
        most = DASHBOARDS_MAX if most is None else most
        if len(self._watching.get(user_id, ())) >= most:
            raise Busy(Detail("too_many_dashboards", most=most))
        outbox = Outbox()
        cell = self._cells.get(user_id) or self._start(user_id)
        self._watching[user_id].append(outbox)
        try:
            await cell.mailbox.put(Subscribed(outbox=outbox), control=True)
            yield outbox
        finally:
            self._leave(user_id, outbox)

    def resume(self, user_id: str, outbox: Outbox) -> None:
        """After a loss: begin again with a new snapshot."""
        outbox.hold()
        cell = self._cells.get(user_id)
        if cell is not None:
            try:
                cell.mailbox.put_nowait(Subscribed(outbox=outbox), control=True)
            except trio.WouldBlock:
                outbox.close()  # too many connect and disconnect: this one must connect again

    def _start(self, user_id: str) -> Cell[UserMessage, UserEffect]:
        mailbox = Mailbox[UserMessage](
            control=Lane(CONTROL_MAX),
            data=Lane(EVENTS_MAX, Overflow.COALESCE, key=_key),
        )
        watching = self._watching[user_id] = []

        async def build() -> UserActor:
            # After a failure the dashboards are still there: each begins with a new snapshot.
            await trio.lowlevel.checkpoint()
            for outbox in watching:
                if cell.restarts:
                    self.resume(user_id, outbox)
            return UserActor()

        def perform(effect: UserEffect) -> None:
            outbox = effect.outbox
            assert isinstance(outbox, Outbox)
            self._lossy.discard(user_id)
            self._snapshots.want(user_id, outbox)

        def gave_up(left: list[UserMessage]) -> None:
            for outbox in watching:
                outbox.close()

        def ended() -> None:
            if self._cells.get(user_id) is cell:
                del self._cells[user_id]
                self._lossy.discard(user_id)

        cell: Cell[UserMessage, UserEffect] = Cell(
            f"user {user_id}", mailbox, build, perform, on_step=self._on_step
        )
        self._cells[user_id] = cell
        self._supervisor.start(cell, ended=ended, gave_up=gave_up)
        return cell

    async def _bring(self, user_id: str, page: SnapshotRead) -> None:
        cell = self._cells.get(user_id)
        if cell is not None:
            try:
                await cell.mailbox.put(page, control=True)
            except trio.ClosedResourceError:
                log.debug("nobody watches any more", user=user_id)

    def _leave(self, user_id: str, outbox: Outbox) -> None:
        watching = self._watching.get(user_id, [])
        watching[:] = [box for box in watching if box is not outbox]
        cell = self._cells.get(user_id)
        if cell is None:
            self._watching.pop(user_id, None)
        elif not watching:
            del self._watching[user_id]
            del self._cells[user_id]
            self._lossy.discard(user_id)
            cell.mailbox.close()
        else:
            try:
                cell.mailbox.put_nowait(Unsubscribed(outbox=outbox), control=True)
            except trio.WouldBlock:
                outbox.close()  # the actor may still offer to it: it is bounded


def _key(message: UserMessage) -> object:
    return message.event.key if isinstance(message, Happened) else id(message)

"""Where device actors are found: started on demand, forgotten when idle, refreshed by REST.

Starts are loaded in batches: five hundred devices that talk at once are one query.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog
import trio

from actors.mailbox import Lane, Mailbox
from actors.ports import Store
from actors.refusing import refused_whole
from actors.reply import Reply
from actors.seat import Seat
from actors.supervisor import Cell, Supervisor
from actors.writer import Writer
from protocol.errors import Problem, Reason, Refusal, Unavailable
from protocol.messages import (
    Announce,
    Configured,
    DeviceEffect,
    DeviceMessage,
    Foreign,
    FromDevice,
    OfTime,
)
from protocol.records import LoadedDevice

log = structlog.get_logger("roost.devices")

Key = tuple[str, str]
_Loaded = tuple[int, LoadedDevice | None]  # by which reading of the store, and what

# Idle actors take about 5 kB each (a task and two lanes).
ACTORS_MAX = 200_000
IDLE_S = 600.0
# A device belongs to one session, whose window (10,000) is all of its messages in flight.
READINGS_MAX = 10_000
CONTROL_MAX = 10_000
LOAD_MAX = 1_000
RETRY_S = 0.25
REFRESH_TIMEOUT_S = 5.0
REFRESH_AGAIN_S = 1.0


class Devices:
    """The living device actors, by (user id, device code).

    Args:
        perform: carries out what a device actor asks for.
        renewed: told of a user whose actors took settings late: a change of them may have failed
            half-way, and nobody else was told of it.
        on_step: the simulation listens (and crashes actors) here.
    """

    def __init__(
        self,
        store: Store,
        supervisor: Supervisor,
        writer: Writer,
        perform: Callable[[DeviceEffect], None],
        renewed: Callable[[str], None],
        on_step: Callable[[str, DeviceMessage], None] | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._writer = writer
        self._perform = perform
        self._renewed = renewed
        self._on_step = on_step
        self._idle_s = idle_s
        self._cells: dict[Key, Cell[DeviceMessage, DeviceEffect]] = {}
        self._of_user: dict[str, dict[str, Cell[DeviceMessage, DeviceEffect]]] = {}
        self._ask, self._asked = trio.open_memory_channel[tuple[Key, Reply[_Loaded]]](LOAD_MAX)
        self._reading = trio.Lock()
        self._reads = 0
        # Users whose actors may judge by old settings: at most as many as have living actors.
        self._stale: dict[str, None] = {}
        self._stale_came = trio.Event()
        self._retired = trio.Event()

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def cells(self) -> Collection[Cell[DeviceMessage, DeviceEffect]]:
        """The living ones."""
        return self._cells.values()

    def hand_over(self, message: FromDevice) -> bool:
        """Give a message to its device's actor, starting it where needed. False: no room."""
        key = message.origin.topic.device
        cell = self._cells.get(key)
        if cell is None:
            if len(self._cells) >= ACTORS_MAX:
                return False
            cell = self._start(key)
        try:
            cell.mailbox.put_nowait(message, control=message.origin.topic.is_urgent)
        except (trio.WouldBlock, trio.ClosedResourceError):
            return False  # full, or about to end
        return True

    def ask(self, key: Key, message: OfTime) -> bool:
        """Ask a device's actor what time asks; it comes after all that the device has said."""
        cell = self._cells.get(key) or (self._start(key) if len(self._cells) < ACTORS_MAX else None)
        if cell is None:
            return False
        try:
            cell.mailbox.put_nowait(message)
        except (trio.WouldBlock, trio.ClosedResourceError):
            return False
        return True

    def tell(self, key: Key, message: Foreign) -> None:
        """Tell a living actor; nobody else needs to know."""
        cell = self._cells.get(key)
        if cell is not None:
            try:
                cell.mailbox.put_nowait(message, control=True)
            except (trio.WouldBlock, trio.ClosedResourceError):
                log.debug("device too busy to be told", actor=cell.name)

    def announce(self, user_id: str) -> None:
        """Ask the user's living devices to tell their state."""
        for cell in self._of_user.get(user_id, {}).values():
            try:
                cell.mailbox.put_nowait(Announce(), control=True)
            except (trio.WouldBlock, trio.ClosedResourceError):
                log.warning("device too busy to announce itself", actor=cell.name)

    async def retire(self) -> None:
        """End all living actors; the next message of a device starts its actor anew."""
        while self._cells:
            self._retired = trio.Event()
            for cell in self._cells.values():
                cell.mailbox.close()
            await self._retired.wait()

    async def refresh(self, user_id: str, code: str | None = None) -> None:
        """After a change over REST: when this returns, living actors judge by the new settings.

        When the store does not answer, or an actor is too busy, they take them as soon as they can.
        """
        is_known = False
        try:
            with trio.fail_after(REFRESH_TIMEOUT_S):
                replies = await self._configure(user_id, code)
                for reply in replies:
                    await reply.wait(REFRESH_TIMEOUT_S)
            is_known = True
        except (
            Unavailable,
            trio.WouldBlock,
            trio.ClosedResourceError,
            trio.TooSlowError,
        ) as error:
            log.warning("devices take new settings late", user=user_id, error=repr(error))
        finally:
            if not is_known:  # whatever it was
                self._refresh_later(user_id)

    @asynccontextmanager
    async def changing(self, user_id: str, code: str | None = None) -> AsyncIterator[None]:
        """Around a change of settings in the store: at its end living actors judge by the new ones.

        A change that failed may have been done all the same (its answer was lost): then too they
        read their settings again, as soon as the store answers.
        """
        try:
            yield
        except Problem:
            raise  # it was refused: nothing changed
        except BaseException:
            self._refresh_later(user_id)
            raise
        await self.refresh(user_id, code)

    def _refresh_later(self, user_id: str) -> None:
        self._stale[user_id] = None
        self._stale_came.set()

    async def _configure(self, user_id: str, code: str | None) -> list[Reply[None]]:
        """Read settings and give them to living actors."""
        living = self._of_user.get(user_id, {})
        codes = [each for each in living if code in (None, each)]
        if not codes:
            return []
        read, loaded = await self._read([(user_id, each) for each in codes])
        replies = []
        for each, device in zip(codes, loaded, strict=True):
            cell = self._of_user.get(user_id, {}).get(each)
            if cell is not None:  # else it ended, and reads them when it starts again
                reply = Reply[None]()
                message = Configured(loaded=device, read=read, done=partial(reply.settle, None))
                cell.mailbox.put_nowait(message, control=True)
                replies.append(reply)
        return replies

    async def _read(self, keys: Sequence[Key]) -> tuple[int, list[LoadedDevice | None]]:
        """Devices as they are now, and the number of this reading, one after the other: of two,
        the higher number knows more."""
        async with self._reading:
            self._reads += 1
            return self._reads, await self._store.load_devices(keys)

    async def refresh_forever(self) -> None:
        """Bring settings that could not be taken at once to where they belong."""
        while True:
            await self._stale_came.wait()
            await trio.sleep(REFRESH_AGAIN_S)
            self._stale_came = trio.Event()
            for user_id in list(self._stale):
                del self._stale[user_id]
                await self.refresh(user_id)  # which notes it again where it fails
                if user_id not in self._stale:
                    self._renewed(user_id)

    async def load_forever(self) -> None:
        """Load the devices of starting actors, as many at once as have asked."""
        while True:
            asked = [await self._asked.receive()]
            while len(asked) < LOAD_MAX:
                try:
                    asked.append(self._asked.receive_nowait())
                except trio.WouldBlock:
                    break
            try:
                read, loaded = await self._load([key for key, _ in asked])
            except Exception as error:  # theirs to fail with: nobody may wait for ever
                for _, reply in asked:
                    reply.fail(error)
                raise
            for (_, reply), device in zip(asked, loaded, strict=True):
                reply.settle((read, device))

    async def _load(self, keys: Sequence[Key]) -> tuple[int, list[LoadedDevice | None]]:
        # An actor that lived before may have writes on their way: they belong to its state.
        await self._writer.barrier()
        while True:
            try:
                return await self._read(keys)
            except Unavailable as error:
                log.warning("devices cannot be loaded yet", count=len(keys), error=str(error))
                await trio.sleep(RETRY_S)

    def _start(self, key: Key) -> Cell[DeviceMessage, DeviceEffect]:
        async def build() -> Seat:
            reply = Reply[_Loaded]()
            await self._ask.send((key, reply))
            read, loaded = await reply.wait(float("inf"))
            return Seat(loaded, read)

        def ended() -> None:
            del self._cells[key]
            mine = self._of_user[key[0]]
            del mine[key[1]]
            if not mine:
                del self._of_user[key[0]]
            if not self._cells:
                self._retired.set()

        cell: Cell[DeviceMessage, DeviceEffect] = Cell(
            f"device {key[0]}/{key[1]}",
            Mailbox(control=Lane(CONTROL_MAX), data=Lane(READINGS_MAX)),
            build,
            self._perform,
            idle_s=self._idle_s,
            on_step=self._on_step,
        )
        self._cells[key] = cell
        self._of_user.setdefault(key[0], {})[key[1]] = cell
        self._supervisor.start(cell, ended=ended, gave_up=self._refuse_all)
        return cell

    def _refuse_all(self, left: list[DeviceMessage]) -> None:
        """An actor was given up: what it had before it is recorded as refused, not lost."""
        refusal = Refusal(Reason.INTERNAL_ERROR, "the device's actor failed again and again")
        for message in left:
            if isinstance(message, Configured):
                message.done()
            elif isinstance(message, FromDevice):
                self._perform(refused_whole(message, refusal, ""))

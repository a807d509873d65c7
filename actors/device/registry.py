"""Where device actors are found: started on demand, forgotten when idle, refreshed by REST.

Starts are loaded in batches: five hundred devices that talk at once are one query.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice

import msgspec
import structlog
import trio

from actors.containment.put_aside import put_aside
from actors.device.slot import DeviceSlot
from actors.ingest.rejections import refused_whole
from actors.ingest.writer import Writer
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt, attempt_each
from actors.runtime.mailbox import Lane, Mailbox
from actors.runtime.reply import Reply
from actors.runtime.supervisor import Cell, Supervisor
from protocol.dead_letters import DEVICES, DeadLetter
from protocol.errors import Problem, Reason, Refusal, Unavailable, in_words
from protocol.messages import (
    Announce,
    Configured,
    DeviceEffect,
    DeviceMessage,
    Foreign,
    FromDevice,
    LeaseExpired,
    TimerMessage,
)
from protocol.records import LoadedDevice, SharedFeeds
from protocol.times import SECOND_US

log = structlog.get_logger("roost.devices")

Key = tuple[str, str]
_Loaded = tuple[int, LoadedDevice | None]  # by which reading of the store, and what

# Idle actors take about 5 kB each (a task and two lanes). At this bound the one that was used
# longest ago gives way to another device, if it is idle: so many of them are looked at.
ACTORS_MAX = 200_000
LOOKED_AT_MAX = 64
IDLE_S = 600.0
# A device belongs to one session, whose window (10,000) is all of its messages in flight.
READINGS_MAX = 10_000
CONTROL_MAX = 10_000
LOAD_MAX = 1_000
RETRY_S = 0.25
RETIRE_AGAIN_S = 0.1
# Devices that cannot be loaded, of which this process knows; and when one is noted again whose
# letter found no room.
ASIDE_MAX = 10_000
ASIDE_AGAIN_US = 60 * SECOND_US
REFRESH_TIMEOUT_S = 5.0
# Of a user whose settings cannot be read: so soon, and after many failures so late.
REFRESH_AGAIN_S, REFRESH_AGAIN_MAX_S = 1.0, 5.0


class Devices:
    """The living device actors, by (user id, device code).

    Args:
        perform: carries out what a device actor asks for.
        renewed: told of a user whose actors took settings late: a change of them may have failed
            half-way, and nobody else was told of it.
        healed: told of a device that was put aside and can be loaded again.
        begins: told of each that an actor begins with.
        on_step: the simulation listens (and crashes actors) here.
    """

    def __init__(
        self,
        store: Store,
        supervisor: Supervisor,
        writer: Writer,
        perform: Callable[[DeviceEffect], None],
        renewed: Callable[[str], None],
        clock: WallClock,
        healed: Callable[[LoadedDevice], None],
        begins: Callable[[LoadedDevice], None],
        on_step: Callable[[str, DeviceMessage], None] | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._writer = writer
        self._perform = perform
        self._renewed = renewed
        self._clock = clock
        self._healed = healed
        self._begins = begins
        self._on_step = on_step
        self._idle_s = idle_s
        # The one that was used longest ago first.
        self._cells: OrderedDict[Key, Cell[DeviceMessage, DeviceEffect]] = OrderedDict()
        self._of_user: dict[str, dict[str, Cell[DeviceMessage, DeviceEffect]]] = {}
        self._shared: dict[str, SharedFeeds] = {}  # of users with living actors, as read last
        self._ask, self._asked = trio.open_memory_channel[tuple[Key, Reply[_Loaded]]](LOAD_MAX)
        self._loading: list[tuple[Key, Reply[_Loaded]]] = []
        # Devices with a dead letter: they are read one by one, so that they cost the others nothing
        # more.
        self._aside: dict[Key, int] = {}  # and when (µs) they are noted once more
        self._again: dict[Key, None] = {}
        self._reading = trio.Lock()
        self._reads = 0
        # Users whose actors may judge by old settings, and when they are read again: those with
        # living actors, and those who changed something while the store did not answer.
        self._stale: dict[str, float] = {}
        self._late: dict[str, int] = {}  # how often that failed
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
        cell = self._cell(key)
        if cell is None:
            return False
        try:
            cell.mailbox.put_nowait(message, control=message.origin.topic.is_urgent)
        except (trio.WouldBlock, trio.ClosedResourceError):
            return False  # full, or about to end
        return True

    def send(self, key: Key, message: TimerMessage) -> bool:
        """Give a device's actor what the timer has for it, starting it where needed. False: not
        now.

        A lease ran out only if nothing of the device waits: an actor with work to do may be about
        to renew it. What comes after `LeaseExpired`, in either lane, is handled after it.
        """
        cell = self._cell(key)
        if cell is None:
            return False
        expired = isinstance(message, LeaseExpired)
        if expired and not cell.is_idle:
            return False
        try:
            cell.mailbox.put_nowait(message, control=expired)
        except (trio.WouldBlock, trio.ClosedResourceError):
            return False
        return True

    def _cell(self, key: Key) -> Cell[DeviceMessage, DeviceEffect] | None:
        """The device's actor, started where needed. None: as many as may be have work to do."""
        cell = self._cells.get(key)
        if cell is not None:
            self._cells.move_to_end(key)
            return cell
        if len(self._cells) >= ACTORS_MAX and not self._give_way():
            return None
        return self._start(key)

    def _give_way(self) -> bool:
        """End the actor that was used longest ago of those that are idle.

        It has nothing left to do, so the next message of its device may start another one at once:
        that one's state is read after all that this one has written.
        """
        for key, cell in islice(self._cells.items(), LOOKED_AT_MAX):
            if cell.is_idle:
                cell.mailbox.close()
                self._forget(key, cell)
                return True
        return False

    def _forget(self, key: Key, cell: Cell[DeviceMessage, DeviceEffect]) -> None:
        if self._cells.get(key) is not cell:
            return  # it gave way before
        del self._cells[key]
        mine = self._of_user[key[0]]
        del mine[key[1]]
        if not mine:
            del self._of_user[key[0]]
            self._shared.pop(key[0], None)
        if not self._cells:
            self._retired.set()

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
            with trio.move_on_after(RETIRE_AGAIN_S):  # one may have started meanwhile
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
            log.warning("devices take new settings late", user=user_id, error=in_words(error))
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

    def doubt(self, user_id: str) -> None:
        """A change of what this user has may have been done, its answer lost: when the store
        answers, their actors take their settings, and dashboards look again."""
        if user_id not in self._stale:
            self._refresh_later(user_id)

    def _refresh_later(self, user_id: str) -> None:
        late = self._late[user_id] = min(self._late.get(user_id, -1) + 1, 10)
        pause_s = min(REFRESH_AGAIN_S * 2.0**late, REFRESH_AGAIN_MAX_S)
        self._stale[user_id] = trio.current_time() + pause_s
        self._stale_came.set()

    async def _configure(self, user_id: str, code: str | None) -> list[Reply[None]]:
        """Read settings and give them to living actors."""
        living = self._of_user.get(user_id, {})
        codes = [each for each in living if code in (None, each)]
        if not codes:
            return []
        keys = [(user_id, each) for each in codes]
        read, loaded = await self._read(keys)
        await self._note_aside(dict(zip(keys, loaded, strict=True)))
        replies = []
        for each, device in zip(codes, loaded, strict=True):
            if isinstance(device, Failed):
                self._refresh_later(user_id)
                continue
            cell = self._of_user.get(user_id, {}).get(each)
            if cell is not None:  # else it ended, and reads them when it starts again
                reply = Reply[None]()
                message = Configured(loaded=device, read=read, done=partial(reply.settle, None))
                cell.mailbox.put_nowait(message, control=True)
                replies.append(reply)
        return replies

    async def _read(self, keys: Sequence[Key]) -> tuple[int, list[LoadedDevice | Failed | None]]:
        """Devices as they are now, and the number of this reading, one after the other: of two,
        the higher number knows more. One that cannot be read fails alone."""
        async with self._reading:
            self._reads += 1
            good = [key for key in keys if key not in self._aside]
            loaded = dict(zip(good, await attempt_each(good, self._load_devices), strict=True))
            for key in keys:
                if key not in loaded:
                    (loaded[key],) = await attempt_each([key], self._load_devices)
            return self._reads, [loaded[key] for key in keys]

    async def _load_devices(self, keys: Sequence[Key]) -> list[LoadedDevice | None]:
        loaded = await self._store.load_devices(keys)
        one_copy = {user_id: self._one_copy(user_id, s) for user_id, s in _shared(loaded).items()}
        return [
            each and msgspec.structs.replace(each, shared=one_copy[each.device.user_id])
            for each in loaded
        ]

    def _one_copy(self, user_id: str, shared: SharedFeeds) -> SharedFeeds:
        """Actors of a user that were started at other times have the same shared feeds."""
        known = self._shared.get(user_id)
        if known == shared:
            return known
        if user_id in self._of_user:
            self._shared[user_id] = shared
        return shared

    async def refresh_forever(self) -> None:
        """Bring settings that could not be taken at once to where they belong."""
        while True:
            self._stale_came = trio.Event()
            now_s = trio.current_time()
            due = [user_id for user_id, due_s in self._stale.items() if due_s <= now_s]
            if not due:
                with trio.move_on_at(min(self._stale.values(), default=float("inf"))):
                    await self._stale_came.wait()
            for user_id in due:
                del self._stale[user_id]
                # It notes the user again where it fails, whatever it fails with.
                done = await attempt(partial(self.refresh, user_id))
                if isinstance(done, Failed):
                    log.warning("settings not read", user=user_id, error=in_words(done.error))
                elif user_id not in self._stale:
                    self._late.pop(user_id, None)
                    self._renewed(user_id)

    async def load_forever(self) -> None:
        """Load the devices of starting actors, as many at once as have asked.

        A device that cannot be loaded fails alone, and its actor with it. Where it is about no
        device this fails, and the same devices are loaded when it is started again: until then
        their messages are not acknowledged.
        """
        while True:
            if not self._loading:
                self._loading.append(await self._asked.receive())
            while len(self._loading) < LOAD_MAX:
                try:
                    self._loading.append(self._asked.receive_nowait())
                except trio.WouldBlock:
                    break
            asked = list(self._loading)
            # Two may ask for one device: an actor that was retired, and the one after it.
            keys = list(dict.fromkeys(key for key, _ in asked))
            read, loaded = await self._load(keys)
            self._loading.clear()
            found = dict(zip(keys, loaded, strict=True))
            for key, reply in asked:
                device = found[key]
                if isinstance(device, Failed):
                    reply.fail(device.error)
                    continue
                if device is not None:
                    self._begins(device)
                reply.settle((read, device))
            await self._note_aside(found)

    async def _note_aside(self, found: dict[Key, LoadedDevice | Failed | None]) -> None:
        """Who failed has a dead letter, and who had one and did not fail has none."""
        for key, device in found.items():
            if isinstance(device, Failed):
                await self._put_aside(key, device.error)
            elif key in self._aside:
                del self._aside[key]
                if device is not None:
                    self._healed(device)
                await self._store.clear_dead_letters(DEVICES, [subject_of(key)])

    async def _put_aside(self, key: Key, error: Exception) -> None:
        """Note it, unless it is known and its pause is not over: actors ask more often."""
        now_us = self._clock.now_us()
        if now_us >= self._aside.get(key, 0):
            next_us = await put_aside(
                self._store, self._clock, DEVICES, subject_of(key), error, key[0]
            )
            if key in self._aside or len(self._aside) < ASIDE_MAX:
                self._aside[key] = next_us or now_us + ASIDE_AGAIN_US

    def load_again(self, letter: DeadLetter) -> None:
        """Look whether a device that was put aside, by this process or one before, can be read by
        now: its actor starts, or takes its settings where it lives already."""
        user_id, _, code = letter.subject.partition("/")
        key = user_id, code
        if key in self._aside or len(self._aside) < ASIDE_MAX:
            self._aside[key] = 0
        if key in self._cells:
            self._refresh_later(user_id)
        elif len(self._cells) < ACTORS_MAX:
            self._start(key)

    async def _load(self, keys: Sequence[Key]) -> tuple[int, list[LoadedDevice | Failed | None]]:
        # An actor that lived before may have writes on their way: they belong to its state.
        await self._writer.barrier()
        while True:
            try:
                return await self._read(keys)
            except Unavailable as error:
                log.warning("devices cannot be loaded yet", count=len(keys), error=in_words(error))
                await trio.sleep(RETRY_S)

    def _start(self, key: Key) -> Cell[DeviceMessage, DeviceEffect]:
        async def build() -> DeviceSlot:
            reply = Reply[_Loaded]()
            await self._ask.send((key, reply))
            read, loaded = await reply.wait(float("inf"))
            return DeviceSlot(loaded, read)

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
        ended = partial(self._forget, key, cell)
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


def subject_of(key: Key) -> str:
    """A device in a dead letter."""
    return f"{key[0]}/{key[1]}"


def _shared(loaded: Sequence[LoadedDevice | None]) -> dict[str, SharedFeeds]:
    """Of each user: read together, all devices of one have equal ones."""
    return {each.device.user_id: each.shared for each in loaded if each is not None}

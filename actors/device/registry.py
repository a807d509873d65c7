"""Finds device actors: started on demand, at rest while nothing waits, ended when idle."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from functools import partial
from itertools import islice

import structlog
import trio

from actors.device.connection_loop import ConnectionEnds
from actors.device.loader import DeviceLoader, Key
from actors.device.settings import SettingsRefresh
from actors.device.slot import DeviceSlot
from actors.ingest.rejections import refused_whole
from actors.ingest.writer import Writer
from actors.ports.store import Store
from actors.runtime.cell import Cell
from actors.runtime.clock import WallClock
from actors.runtime.mailbox import Lane, Mailbox
from actors.runtime.supervisor import Supervisor
from protocol.dead_letters import DeadLetter
from protocol.device.topics import Topic
from protocol.errors import Reason, Refusal
from protocol.messages import (
    Configured,
    ConnectionsEnd,
    DeviceEffect,
    DeviceMessage,
    FromDevice,
    LeaseExpired,
    RefusalListed,
    TimerMessage,
)
from protocol.problems.detail import Detail
from protocol.records import Feed, LoadedDevice

log = structlog.get_logger("roost.devices")

DeviceCell = Cell[DeviceMessage, DeviceEffect]

# At this bound, the idle actor that was used longest ago ends for another device; this many are
# checked for being idle.
ACTORS_MAX = 200_000
LOOKED_AT_MAX = 64
IDLE_S = 600.0
# An actor whose mailbox brought nothing for so long keeps no task; its device's messages need none.
REST_S = 5.0
# Checked for having been used, without a pause for other tasks: half a millisecond.
SWEPT_AT_ONCE = 1_000
# A device belongs to one session, whose window (10,000) bounds its messages in flight.
READINGS_MAX = 10_000
CONTROL_MAX = 10_000
RETIRE_AGAIN_S = 0.1


class Devices:
    """The living device actors, by (user id, device code).

    Args:
        perform: carries out the effects of device actors.
        renewed: called with a user whose actors took settings late (`SettingsRefresh`).
        healed: called with a device that had a dead letter and can be read again.
        starts: called with each device that an actor starts with.
        on_step: for the simulation, which also crashes actors here.
        idle_s: an actor that was not used for so long, or up to twice as long, ends.

    Attributes:
        loader, settings: each has a `run` that the service keeps running, like `run` here.
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
        starts: Callable[[LoadedDevice], None],
        on_step: Callable[[str, DeviceMessage], None] | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        self._supervisor = supervisor
        self._perform = perform
        self._on_step = on_step
        self._idle_s = idle_s
        # The one that was used longest ago comes first.
        self._cells: OrderedDict[Key, DeviceCell] = OrderedDict()
        self._of_user: dict[str, dict[str, DeviceCell]] = {}
        self._retired = trio.Event()
        self._connection_ends = ConnectionEnds(clock.now_us())
        self.loader = DeviceLoader(
            store, clock, written=lambda: writer.barrier(), starts=starts, healed=healed
        )
        self.settings = SettingsRefresh(self.loader, self._mailboxes, self._concerned, renewed)
        self.changing, self.doubt = self.settings.changing, self.settings.doubt

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def cells(self) -> Collection[DeviceCell]:
        """The cells of living actors."""
        return self._cells.values()

    def _mailboxes(self, user_id: str) -> dict[str, Mailbox[DeviceMessage]]:
        living = self._of_user.get(user_id, {})
        return {code: cell.mailbox for code, cell in living.items()}

    def _concerned(self, user_id: str, feed: Feed) -> list[str]:
        """The codes of a user's devices whose living actors have a state of a feed, or may get one
        from what they are being loaded with. Of a shared feed one device at least, if any lives:
        the others see what is read with it."""
        concerned, another = [], ""
        for code, cell in self._of_user.get(user_id, {}).items():
            slot = cell.actor
            if not isinstance(slot, DeviceSlot) or slot.has_feed(feed.num):
                concerned.append(code)
            elif slot.is_known:
                another = code
        if another and feed.device_id is None:
            concerned.append(another)
        return concerned

    def place_of(self, topic: Topic) -> DeviceCell | None:
        """The actor for a message on this topic, started where needed. None: it has no room, or is
        about to end."""
        cell = self._cell(topic.device)
        if cell is None or not cell.mailbox.has_room(control=topic.is_urgent):
            return None
        return cell

    def send(self, key: Key, message: TimerMessage) -> bool:
        """Give a timer's message to a device's actor, starting it if needed. False: not now.

        A lease counts as run out only if no message of the device waits, because an actor with work
        may be about to renew it. A message that follows `LeaseExpired`, in either lane, is handled
        after it.
        """
        if isinstance(message, ConnectionsEnd):
            self._connection_ends.ended(key, message.at_us)
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

    def _cell(self, key: Key) -> DeviceCell | None:
        """The device's actor, started if needed. None: the maximum number of actors have work."""
        cell = self._cells.get(key)
        if cell is not None:
            self._cells.move_to_end(key)
            return cell
        if len(self._cells) >= ACTORS_MAX and not self._give_way():
            return None
        return self._start(key)

    def _give_way(self) -> bool:
        """End the idle actor that was used longest ago.

        It has nothing left to do, so the next message of its device may start another one at once:
        the state of that one is read after everything that this one has written.
        """
        for key, cell in islice(self._cells.items(), LOOKED_AT_MAX):
            if cell.is_idle:
                self._end(key, cell)
                return True
        return False

    async def run(self) -> None:
        """End actors that were not used for long, for ever."""
        while True:
            await trio.sleep(self._idle_s)
            for n, (key, cell) in enumerate(list(self._cells.items()), 1):
                if cell.is_idle and not cell.was_used:
                    self._end(key, cell)
                cell.was_used = False
                if n % SWEPT_AT_ONCE == 0:
                    await trio.lowlevel.checkpoint()

    def _end(self, key: Key, cell: DeviceCell) -> None:
        cell.mailbox.close()
        self._forget(key, cell)

    def _forget(self, key: Key, cell: DeviceCell) -> None:
        if self._cells.get(key) is not cell:
            return  # it was ended before
        del self._cells[key]
        mine = self._of_user[key[0]]
        del mine[key[1]]
        if not mine:
            del self._of_user[key[0]]
        if not self._cells:
            self._retired.set()

    def tell(self, key: Key, message: RefusalListed) -> None:
        """Give it to the device's actor if there is one; otherwise nobody needs it."""
        cell = self._cells.get(key)
        if cell is not None:
            try:
                cell.mailbox.put_nowait(message, control=True)
            except (trio.WouldBlock, trio.ClosedResourceError):
                log.debug("device too busy to be told", actor=cell.name)

    def doubt_all(self) -> None:
        """Another process may have changed settings without a notification: all living actors read
        theirs again."""
        for user_id in self._of_user:
            self.doubt(user_id)

    async def retire(self) -> None:
        """End all living actors; the next message of a device starts another."""
        while self._cells:
            self._retired = trio.Event()
            for cell in list(self._cells.values()):
                cell.mailbox.close()  # ends it at once if it rests
            with trio.move_on_after(RETIRE_AGAIN_S):  # one may have started meanwhile
                await self._retired.wait()

    def load_again(self, letter: DeadLetter) -> None:
        """Check whether a device that was put aside can be read now: its actor starts, or gets its
        settings if there is one."""
        user_id, _, code = letter.subject.partition("/")
        key = user_id, code
        self.loader.expect_again(key)
        if key in self._cells:
            self.settings.refresh_later(user_id)
        elif len(self._cells) < ACTORS_MAX:
            self._start(key)

    def _start(self, key: Key) -> DeviceCell:
        cell: DeviceCell = Cell(
            f"device {key[0]}/{key[1]}",
            Mailbox(control=Lane(CONTROL_MAX), data=Lane(READINGS_MAX)),
            partial(self._build, key),
            self._perform,
            rest_s=REST_S,
            on_step=self._on_step,
        )
        self._cells[key] = cell
        self._of_user.setdefault(key[0], {})[key[1]] = cell
        ended = partial(self._forget, key, cell)
        self._supervisor.start(cell, ended=ended, gave_up=self._refuse_all)
        return cell

    async def _build(self, key: Key) -> DeviceSlot:
        read, loaded = await self.loader.load(key)
        return DeviceSlot(loaded, read, self._connection_ends.last_us(key))

    def _refuse_all(self, left: list[DeviceMessage]) -> None:
        """An actor was given up: its waiting messages are recorded as refused, not lost."""
        refusal = Refusal(Reason.INTERNAL_ERROR, Detail("device_failing"))
        for message in left:
            if isinstance(message, Configured):
                message.done()
            elif isinstance(message, FromDevice):
                self._perform(refused_whole(message, refusal, ""))

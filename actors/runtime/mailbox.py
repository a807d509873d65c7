"""A mailbox with two bounded lanes, each with a named overflow policy.

    mailbox = Mailbox(control=Lane(64), data=Lane(10_000))
    mailbox.put_nowait(message)                # from anywhere, synchronous
    for message in await mailbox.take(256):    # the one owner; control goes first
        ...

An actor takes all waiting messages in one turn: under load a turn is a batch, which makes it fast.
A turn is bounded, so that no actor starves another.
"""

from collections.abc import Callable, Hashable, Iterator
from enum import Enum
from typing import Generic, TypeVar

import msgspec
import trio

T = TypeVar("T")


class Overflow(Enum):
    """What happens when one more item does not fit."""

    WAIT = "wait"  # the sender waits (`put`), or gets an error (`put_nowait` raises WouldBlock)
    SHED_OLDEST = "shed_oldest"  # the oldest item makes room, counted
    COALESCE = "coalesce"  # only the newest of each key stays; if that is not enough, shed
    CLOSE_PEER = "close_peer"  # a slow receiver is cut off (`put` raises BrokenResourceError)


class LaneStatistics(msgspec.Struct, frozen=True):
    waiting: int
    bound: int
    put: int
    shed: int
    coalesced: int


class Lane(Generic[T]):
    """A bounded queue with an overflow policy. Synchronous; knows nothing of tasks."""

    __slots__ = ("_items", "_key", "_put", "bound", "coalesced", "overflow", "shed")

    def __init__(
        self,
        bound: int,
        overflow: Overflow = Overflow.WAIT,
        key: Callable[[T], Hashable] | None = None,
    ) -> None:
        if (overflow is Overflow.COALESCE) != (key is not None):
            raise ValueError("a coalescing lane, and only that, has a key")
        self.bound = bound
        self.overflow = overflow
        self.shed = 0
        self.coalesced = 0
        self._put = 0
        self._key = key
        self._items: list[T] = []  # an empty deque takes 760 bytes, and most lanes are empty

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        """What waits, oldest first."""
        return iter(self._items)

    @property
    def is_full(self) -> bool:
        return len(self._items) >= self.bound

    def put(self, item: T) -> None:
        """Raises `trio.WouldBlock` or `trio.BrokenResourceError` if the policy says so."""
        if len(self._items) >= self.bound:
            self._make_room()
        self._items.append(item)
        self._put += 1

    def take(self, most: int) -> list[T]:
        taken = self._items
        if len(taken) <= most:
            self._items = []
            return taken
        self._items = taken[most:]
        del taken[most:]
        return taken

    def _make_room(self) -> None:
        match self.overflow:
            case Overflow.WAIT:
                raise trio.WouldBlock
            case Overflow.CLOSE_PEER:
                raise trio.BrokenResourceError("the receiver did not keep up")
            case Overflow.SHED_OLDEST:
                del self._items[0]
                self.shed += 1
            case Overflow.COALESCE:
                self._coalesce()

    def _coalesce(self) -> None:
        assert self._key is not None
        before = len(self._items)
        newest: dict[Hashable, T] = {}
        for item in self._items:  # the newest of each key, in the order of the newest
            key = self._key(item)
            newest.pop(key, None)
            newest[key] = item
        self._items = list(newest.values())
        self.coalesced += before - len(self._items)
        # Room for at least a quarter, so that the work above is O(1) per item.
        too_many = max(0, len(self._items) - self.bound * 3 // 4)
        del self._items[:too_many]
        self.shed += too_many

    def statistics(self) -> LaneStatistics:
        return LaneStatistics(len(self), self.bound, self._put, self.shed, self.coalesced)


class MailboxStatistics(msgspec.Struct, frozen=True):
    control: LaneStatistics
    data: LaneStatistics


class _Bell:
    """Wakes the receiver. At most one ring is kept, because one is enough."""

    __slots__ = ("_receive", "_send")

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[None](1)

    def ring(self) -> None:
        try:
            self._send.send_nowait(None)
        except trio.WouldBlock:
            return  # it rings already

    async def wait(self) -> None:
        await self._receive.receive()


class Mailbox(Generic[T]):
    """Two lanes and a bell. Many senders, one receiver, which may rest (`rest`)."""

    __slots__ = (
        "_bell",
        "_closed",
        "_has_rung",
        "_is_awaited",
        "_room",
        "_wakes",
        "control",
        "data",
    )

    def __init__(self, *, control: Lane[T], data: Lane[T]) -> None:
        self.control = control
        self.data = data
        self._bell: _Bell | None = None  # while there is a receiver that has waited
        self._wakes: Callable[[], None] | None = None  # while the receiver rests
        self._is_awaited = False  # whether the receiver listens, or rests
        self._has_rung = False
        self._room: trio.lowlevel.ParkingLot | None = None  # of senders that wait
        self._closed = False

    def __len__(self) -> int:
        return len(self.control) + len(self.data)

    @property
    def is_closed(self) -> bool:
        return self._closed

    def has_room(self, *, control: bool = False) -> bool:
        """Whether a message would be put without losing, joining or refusing any."""
        return not (self._closed or (self.control if control else self.data).is_full)

    def put_nowait(self, message: T, *, control: bool = False) -> None:
        """Put a message into its lane.

        Raises:
            trio.WouldBlock: the lane is full and its policy is `WAIT`.
            trio.BrokenResourceError: the lane is full and its policy is `CLOSE_PEER`.
            trio.ClosedResourceError: the actor is gone.
        """
        if self._closed:
            raise trio.ClosedResourceError
        (self.control if control else self.data).put(message)
        if self._is_awaited:
            self._wake()

    def ring(self) -> None:
        """Make the receiver's `take` return, perhaps with nothing."""
        self._has_rung = True
        self._wake()

    def rest(self, wakes: Callable[[], None]) -> None:
        """The receiver stops listening: `wakes` is called once, when something comes, or the
        mailbox is closed."""
        self._bell, self._wakes, self._is_awaited = None, wakes, True

    def _wake(self) -> None:
        self._is_awaited = False
        if self._wakes is not None:
            wakes, self._wakes = self._wakes, None
            wakes()
        elif self._bell is not None:
            self._bell.ring()

    async def put(self, message: T, *, control: bool = False) -> None:
        """Put a message; wait for room if the policy is `WAIT`."""
        await trio.lowlevel.checkpoint()
        while True:
            try:
                return self.put_nowait(message, control=control)
            except trio.WouldBlock:
                if self._room is None:
                    self._room = trio.lowlevel.ParkingLot()
                await self._room.park()

    async def take(self, most: int) -> list[T]:
        """Wait for messages, then take up to `most`: control first, each lane in its order.

        Raises:
            trio.EndOfChannel: the mailbox is closed and empty.
        """
        if self.control or self.data:
            await trio.lowlevel.checkpoint()  # let other tasks run, too
        while not (self.control or self.data or self._has_rung):
            if self._closed:
                raise trio.EndOfChannel
            if self._bell is None:
                self._bell = _Bell()
            self._is_awaited = True
            await self._bell.wait()
        self._has_rung = False
        turn = self.control.take(most)
        if len(turn) < most:
            turn += self.data.take(most - len(turn))
        self._unpark()
        return turn

    def _unpark(self) -> None:
        if self._room is not None:
            self._room.unpark_all()

    def close(self) -> None:
        """No more messages; waiting ones can still be taken."""
        self._closed = True
        self._unpark()
        self._wake()

    def statistics(self) -> MailboxStatistics:
        return MailboxStatistics(self.control.statistics(), self.data.statistics())

"""Publications in flight to a broker, so that one that cannot be sent delays others little.

    sender = Sender(send, window=32)
    answers = await sender.publish(messages)  # see `actors.ports.broker.Broker.publish`

A message that no broker accepts is refused before it is sent (`protocol.device.publishing`). The
others are sent in parts of bounded size, so a publication of another caller waits for one part
only. A message that was in flight when a connection ended is sent alone, and refused if it ends the
next connections, too (`actors.adapters.mqtt.suspects`).
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from enum import Enum, auto

import trio

from actors.adapters.mqtt.suspects import Suspects
from actors.ports.broker import PUBLISH_MAX, Publication
from protocol.device.publishing import PAYLOAD_MAX, fault_of
from protocol.errors import Unpublishable

# While the broker processes one part, the next is in flight.
PARTS = 2
# Of one part: a message of maximum size, or a few documents, or all commands of a batch.
PART_BYTES_MAX = PAYLOAD_MAX


class Fate(Enum):
    """What happened to a message."""

    TAKEN = auto()
    UNKNOWN = auto()  # it was not sent, or not answered in time
    ENDED = auto()  # its connection ended before it was acknowledged


Send = Callable[[Sequence[Publication]], Awaitable[Sequence[Fate]]]


class Sender:
    """Args:
    send: sends what fits into a window.
    window: how many messages a part has.
    """

    def __init__(self, send: Send, window: int = PUBLISH_MAX) -> None:
        self._send = send
        self._window = window
        self._suspects = Suspects()
        self._room = Room()

    async def publish(self, messages: Sequence[Publication]) -> list[bool | Unpublishable]:
        assert len(messages) <= PUBLISH_MAX
        answers = [self._refusal(each) or False for each in messages]
        # In order within a topic; the most suspicious ones go last.
        left = [n for n, answer in enumerate(answers) if answer is False]
        left.sort(key=lambda n: self._suspects.alone(messages[n].topic))
        if not left:
            await trio.lowlevel.checkpoint()
        while left:
            part = self._next_part(messages, left)
            left = left[len(part) :]
            passed = await self._pass([messages[n] for n in part])
            for n, is_taken in zip(part, passed, strict=True):
                answers[n] = is_taken
        return answers

    def _refusal(self, each: Publication) -> Unpublishable | None:
        fault = fault_of(each.topic, each.payload)
        return fault or self._suspects.refused(each.topic, trio.current_time())

    def _next_part(self, messages: Sequence[Publication], left: Sequence[int]) -> list[int]:
        if self._suspects.holds(messages[left[0]].topic):
            return [left[0]]
        part: list[int] = []
        size = 0
        for n in left[: self._window]:
            size += len(messages[n].payload)
            if part and (size > PART_BYTES_MAX or self._suspects.holds(messages[n].topic)):
                break
            part.append(n)
        return part

    async def _pass(self, part: Sequence[Publication]) -> list[bool]:
        alone = self._suspects.holds(part[0].topic)
        async with self._room.taken(alone=alone):
            late = [each.is_late is not None and each.is_late() for each in part]
            going = [each for each, is_late in zip(part, late, strict=True) if not is_late]
            sent = iter(await self._send(going) if going else ())
        fates = [Fate.UNKNOWN if is_late else next(sent) for is_late in late]
        now_s = trio.current_time()
        fate_of = list(zip(part, fates, strict=True))
        for each in [each for each, fate in fate_of if fate is Fate.TAKEN]:
            self._suspects.taken(each, now_s)
        ended = [each for each, fate in fate_of if fate is Fate.ENDED]
        self._suspects.ended(ended, now_s, alone=alone)
        return [fate is Fate.TAKEN for fate in fates]


class Room:
    """Places for `PARTS` parts, or for one alone; first come, first served. A caller waits only if
    there is no place."""

    def __init__(self) -> None:
        self._going = 0
        self._is_alone = False
        self._queue: deque[tuple[bool, trio.Event]] = deque()

    @asynccontextmanager
    async def taken(self, *, alone: bool) -> AsyncIterator[None]:
        if self._queue or not self._has_room(alone):
            await self._wait(alone)
        else:
            self._take(alone)
        try:
            yield
        finally:
            self._leave()

    async def _wait(self, alone: bool) -> None:
        mine = alone, trio.Event()
        self._queue.append(mine)
        try:
            await mine[1].wait()
        except trio.Cancelled:
            if mine[1].is_set():
                self._leave()
            else:
                self._queue.remove(mine)
                self._admit()
            raise

    def _has_room(self, alone: bool) -> bool:
        return not self._is_alone and self._going < (1 if alone else PARTS)

    def _take(self, alone: bool) -> None:
        self._going += 1
        self._is_alone = alone

    def _leave(self) -> None:
        self._going -= 1
        self._is_alone = False
        self._admit()

    def _admit(self) -> None:
        while self._queue and self._has_room(self._queue[0][0]):
            alone, admitted = self._queue.popleft()
            self._take(alone)
            admitted.set()

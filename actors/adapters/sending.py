"""Publications on their way to a broker, so that one that cannot be sent costs the others little.

    sender = Sender(send, window=32)
    answers = await sender.publish(messages)        # see `actors.ports.Broker.publish`

What no broker takes is refused before it is sent (`protocol.publishing`). The others go out in
parts, whose bytes are bounded: what somebody else publishes meanwhile waits for one part only.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import trio

from actors.ports import PUBLISH_MAX, Publication
from protocol.errors import Unpublishable
from protocol.publishing import PAYLOAD_MAX, fault_of

# While the broker has one part, the next is on its way.
PARTS = 2
# Of one part: a message at its bound, or a few documents, or all the commands of a batch.
PART_BYTES_MAX = PAYLOAD_MAX

Send = Callable[[Sequence[Publication]], Awaitable[Sequence[bool]]]


class Sender:
    """Args:
    send: sends what fits into a window; answers which were acknowledged.
    window: so many messages in one part.
    """

    def __init__(self, send: Send, window: int = PUBLISH_MAX) -> None:
        self._send = send
        self._window = window
        self._going = 0
        self._left = trio.Event()

    async def publish(self, messages: Sequence[Publication]) -> list[bool | Unpublishable]:
        assert len(messages) <= PUBLISH_MAX
        answers = [fault_of(each.topic, each.payload) or False for each in messages]
        going = [n for n, answer in enumerate(answers) if answer is False]
        for part in self._parts(messages, going):
            async with self._room():
                taken = await self._send([messages[n] for n in part])
            for n, is_taken in zip(part, taken, strict=True):
                answers[n] = is_taken
        if not going:
            await trio.lowlevel.checkpoint()
        return answers

    def _parts(self, messages: Sequence[Publication], going: Sequence[int]) -> Iterator[list[int]]:
        part: list[int] = []
        size = 0
        for n in going:
            length = len(messages[n].payload)
            if part and (len(part) == self._window or size + length > PART_BYTES_MAX):
                yield part
                part, size = [], 0
            part.append(n)
            size += length
        if part:
            yield part

    @asynccontextmanager
    async def _room(self) -> AsyncIterator[None]:
        while self._going >= PARTS:
            await self._left.wait()
        self._going += 1
        try:
            yield
        finally:
            self._going -= 1
            left, self._left = self._left, trio.Event()
            left.set()

"""Waiting until everything submitted before is done, in whatever order it is done.

number = barriers.add()            # something is submitted
await barriers.wait()
barriers.done([number])
"""

from collections import OrderedDict, deque
from collections.abc import Iterable

import trio


class Barriers:
    """`newest` is the number of the last submission."""

    def __init__(self) -> None:
        self.newest = 0
        self._undone: OrderedDict[int, None] = OrderedDict()  # the oldest first
        self._waiting: deque[tuple[int, trio.Event]] = deque()

    def add(self) -> int:
        self.newest += 1
        self._undone[self.newest] = None
        return self.newest

    async def wait(self) -> None:
        """Wait until everything that was added before now is done."""
        if not self._undone:
            await trio.lowlevel.checkpoint()
            return
        event = trio.Event()
        self._waiting.append((self.newest, event))
        await event.wait()

    def done(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            del self._undone[number]
        oldest = next(iter(self._undone), self.newest + 1)
        while self._waiting and self._waiting[0][0] < oldest:
            self._waiting.popleft()[1].set()

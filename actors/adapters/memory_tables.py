"""What all parts of the store's twin stand on: its clock, its counters, and one way in.

Every noun has a module with its tables and its part of the Store port; `MemoryStore` is put
together from them.
"""

from collections import Counter

import trio

from actors.ports import WallClock


class Tables:
    """The base of every part. A part sets up its own tables after `super().__init__`."""

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock
        self._nums: Counter[str] = Counter()

    async def _cross(self) -> None:
        """Into the server: every call begins so."""
        await trio.lowlevel.checkpoint()
        self._catch_up()

    def _catch_up(self) -> None:
        """What the server has done by itself meanwhile."""

    def _next(self, kind: str) -> int:
        """The next number of a kind, from 1."""
        self._nums[kind] += 1
        return self._nums[kind]

"""What all parts of the store's twin stand on: its clock, its counters, one way in, and one back.

Every noun has a module with its tables and its part of the Store port; `MemoryStore` is put
together from them.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import trio

from actors.runtime.clock import WallClock

# Not a part of any one transaction: sequences go on, and so does what others do.
SHARED = ("_clock", "_nums", "_followers", "_running", "_commits", "poison", "owners")

# The process whose call this is; None where there is one alone.
CALLER: ContextVar[object] = ContextVar("caller", default=None)
# The call of this task is to be rolled back: how its tables were when it began.
_undo: ContextVar[list[Callable[[], None]] | None] = ContextVar("undo", default=None)


def is_rolled_back() -> bool:
    """Whether what this call does will have been nothing."""
    return _undo.get() is not None


@contextmanager
def rolled_back() -> Iterator[None]:
    """What one call does in the block never was.

    After its way in a call awaits nothing, so nothing of anybody else's is undone with it.
    """
    undo: list[Callable[[], None]] = []
    token = _undo.set(undo)
    try:
        yield
    finally:
        _undo.reset(token)
        if undo:
            undo[-1]()


class Tables:
    """The base of every part. A part sets up its own tables after `super().__init__`."""

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock
        self._nums: Counter[str] = Counter()

    async def _cross(self) -> None:
        """Into the server: every call begins so."""
        await trio.lowlevel.checkpoint()
        self._catch_up()
        undo = _undo.get()
        if undo is not None:
            undo.append(self._kept())

    def _kept(self) -> Callable[[], None]:
        """How to make all tables what they are now. They stay the same objects."""
        kept = {name: _copied(it) for name, it in vars(self).items() if name not in SHARED}

        def undo() -> None:
            for name, before in kept.items():
                now = getattr(self, name)
                if isinstance(now, dict):
                    now.clear()
                    now.update(before)
                elif isinstance(now, list):
                    now[:] = before
                else:
                    setattr(self, name, before)

        return undo

    def _catch_up(self) -> None:
        """What the server has done by itself meanwhile."""

    def _next(self, kind: str) -> int:
        """The next number of a kind, from 1."""
        self._nums[kind] += 1
        return self._nums[kind]


def _copied(table: Any) -> Any:
    """Rows are frozen; what holds them is not."""
    if isinstance(table, dict):
        return {key: _copied(item) for key, item in table.items()}
    return [_copied(item) for item in table] if isinstance(table, list) else table

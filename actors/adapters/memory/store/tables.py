"""What all parts of the store's twin use: its clock, its counters, locks and roll-backs.

Every noun has a module with its tables and its part of the Store port; `MemoryStore` is composed of
them.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import trio

from actors.runtime.clock import WallClock
from protocol.people.user import User

# Not a part of any transaction: sequences continue, and so do other calls.
SHARED = ("_clock", "_nums", "_followers", "_running", "_commits", "poison", "owners")

# The process that made this call; None if there is only one.
CALLER: ContextVar[object] = ContextVar("caller", default=None)
# The call of this task will be rolled back: its tables as they were at its beginning.
_undo: ContextVar[list[Callable[[], None]] | None] = ContextVar("undo", default=None)


def is_rolled_back() -> bool:
    """Whether this call will be rolled back."""
    return _undo.get() is not None


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll back what one call does in the block.

    After it entered the server a call awaits nothing, so no other call's work is rolled back with
    it.
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
    """The base of every part. A part creates its own tables after `super().__init__`."""

    _one: Callable[..., Any]  # `ListTables._one`
    _all_readable: Callable[[str, str, list[Any]], list[Any]]  # that of `ListTables`

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock
        self._nums: Counter[str] = Counter()
        self._users: dict[str, User] = {}

    async def _cross(self) -> None:
        """Enter the server: every call begins with it."""
        await trio.lowlevel.checkpoint()
        self._catch_up()
        undo = _undo.get()
        if undo is not None:
            undo.append(self._kept())

    def _kept(self) -> Callable[[], None]:
        """A function that restores all tables to their present state. The objects stay the same."""
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
        """Apply what the server has done by itself meanwhile."""

    def _is_disabled(self, user_id: str) -> bool:
        user = self._users.get(user_id)
        return user is not None and user.disabled_us is not None

    def _next(self, kind: str) -> int:
        """The next number of a kind, from 1."""
        self._nums[kind] += 1
        return self._nums[kind]


def _copied(table: Any) -> Any:
    """A copy of the containers; rows are frozen."""
    if isinstance(table, dict):
        return {key: _copied(item) for key, item in table.items()}
    return [_copied(item) for item in table] if isinstance(table, list) else table

"""All open WebSockets of this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from web.http.idle_sockets import IdleSockets


class Sockets:
    """All open sockets, so that they can be closed in order before the server stops."""

    def __init__(self) -> None:
        self.count = 0
        self.idle = IdleSockets()
        self.closing = trio.Event()
        self._none_left = trio.Event()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
            if not self.count:
                self._none_left.set()

    async def close_all(self, within_s: float) -> None:
        """Close every socket with 1001 and wait (bounded) until they are gone."""
        self.closing.set()
        with trio.move_on_after(within_s):
            while self.count:
                self._none_left = trio.Event()
                await self._none_left.wait()

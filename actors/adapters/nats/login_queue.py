"""Logins that wait for an answer, the newest first: a client that has waited long has given up.

    queue = LoginQueue()
    queue.put(request, "10.0.0.7")
    for request in await queue.take(64): ...
    queue.failed("10.0.0.7")

An address (an IPv6 /64) from which many logins failed comes after all others. It is not locked out:
all devices of a site may share one with somebody who guesses passwords.
"""

from collections import deque
from typing import Any

import trio

from actors.runtime.buckets import Buckets
from protocol.people.networks import network_of

WAITING_MAX = 10_000
# Per address: how many may fail at once; one more may fail each second.
FAILURES_MAX = 50
FAILURE_EVERY_S = 1.0
ADDRESSES_MAX = 10_000


class LoginQueue:
    """Attributes:
    dropped: how many were dropped, the oldest first, because too many waited.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._first: deque[Any] = deque()
        self._last: deque[Any] = deque()  # of addresses with many failures
        self._failures = Buckets(FAILURES_MAX, FAILURE_EVERY_S, ADDRESSES_MAX)
        self._bell = trio.Event()

    def __len__(self) -> int:
        return len(self._first) + len(self._last)

    def put(self, request: Any, address: str) -> None:
        is_last = self._failures.is_empty(network_of(address))
        waiting = self._last if is_last else self._first
        waiting.append(request)
        if len(self) > WAITING_MAX:
            (self._last or self._first).popleft()
            self.dropped += 1
        self._bell.set()

    def failed(self, address: str) -> None:
        """A login from this address was refused."""
        self._failures.take(network_of(address))

    async def take(self, most: int, *, wait: bool = True) -> list[Any]:
        """Up to `most` logins, the newest first; waits, or lets other tasks run, until there is
        one."""
        if not wait:
            await trio.lowlevel.checkpoint()
        while wait and not len(self):
            self._bell = trio.Event()
            await self._bell.wait()
        found: list[Any] = []
        for waiting in (self._first, self._last):
            while waiting and len(found) < most:
                found.append(waiting.pop())
        return found

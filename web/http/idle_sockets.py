"""Open sockets that have sent nothing yet: limited per network, and in all.

    with idle.place("203.0.113.9"):
        token = await first_frame(socket)

A client that wants to sign in does so at once, so if there are too many, the oldest one of the
network that has the most is closed. So nobody can keep others out by opening sockets.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from protocol.errors import TooMany
from protocol.problems.detail import Detail

IDLE_MAX = 256
IDLE_OF_ONE_MAX = 32
RETRY_S = 5


class IdleSockets:
    """All of them, the oldest first."""

    def __init__(self) -> None:
        self._places: dict[trio.CancelScope, str] = {}
        self._of: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._places)

    @contextmanager
    def place(self, network: str) -> Iterator[None]:
        """A place while the block runs. Raises `TooMany` if it had to be given up."""
        if self._of[network] >= IDLE_OF_ONE_MAX:
            self._make_room(network)
        elif len(self._places) >= IDLE_MAX:
            self._make_room(max(self._of, key=lambda each: self._of[each]))
        scope = trio.CancelScope()
        self._places[scope] = network
        self._of[network] += 1
        try:
            with scope:
                yield
            if scope.cancelled_caught:
                raise TooMany(Detail("too_many_waiting_sockets"), retry_after_s=RETRY_S)
        finally:
            self._leave(scope)

    def _make_room(self, network: str) -> None:
        oldest = next(scope for scope, of in self._places.items() if of == network)
        self._leave(oldest)
        oldest.cancel()

    def _leave(self, scope: trio.CancelScope) -> None:
        network = self._places.pop(scope, None)
        if network is not None:
            self._of[network] -= 1
            if not self._of[network]:
                del self._of[network]

"""Classic mistakes with who sleeps and what wakes it (`planted.py`)."""

from collections.abc import Callable
from typing import Any

import trio

from actors.runtime.mailbox import Mailbox
from tests.simulation.planted import Patch, plant


@plant("lost wake-up")
def lost_wake_up(patch: Patch) -> None:
    """The bell is for the data lane; who waits for control alone sleeps on."""

    def mistaken(self: Mailbox[Any], message: Any, *, control: bool = False) -> None:
        if self._closed:
            raise trio.ClosedResourceError
        (self.control if control else self.data).put(message)
        if not control and self._is_awaited:
            self._wake()

    patch.setattr(Mailbox, "put_nowait", mistaken)


@plant("an actor at rest is not woken")
def sleeps_on(patch: Patch) -> None:
    """Messages still step in their senders' turns; what has to wait waits for ever."""

    def mistaken(self: Mailbox[Any], wakes: Callable[[], None]) -> None:
        rest(self, lambda: None)

    rest = Mailbox.rest
    patch.setattr(Mailbox, "rest", mistaken)

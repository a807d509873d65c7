"""Who may come into the broker of a world: devices that flooded may not, for a while."""

from collections.abc import Callable

import trio

from actors.adapters.memory.broker.broker import MemoryBroker
from actors.adapters.memory.broker.logins import MemoryLogins
from protocol.errors import Unavailable


class Doors:
    """The embedded broker's, as it answers logins: a device that is shut out is disconnected, and
    comes in no more until then.

    Args:
        fired: told that somebody was shut out.
    """

    def __init__(self, fired: Callable[[str], None]) -> None:
        self.shut: dict[str, float] = {}  # by client id, until when
        self._fired = fired

    def logins(self, broker: MemoryBroker, is_cut: Callable[[], bool]) -> "DoorLogins":
        """What one process has of it, and of the broker's power over its clients."""
        return DoorLogins(self, broker, is_cut)

    def check(self, client_id: str) -> None:
        """Raises `Unavailable` where that one is shut out."""
        if trio.current_time() < self.shut.get(client_id, 0.0):
            raise Unavailable("shut out")

    def close(self, client_id: str, for_s: float) -> None:
        self.shut[client_id] = trio.current_time() + for_s
        self._fired("device shut out")


class DoorLogins(MemoryLogins):
    def __init__(self, doors: Doors, broker: MemoryBroker, is_cut: Callable[[], bool]) -> None:
        super().__init__(broker, is_cut)
        self._doors = doors

    async def shut_out(self, client_id: str, for_s: float) -> None:
        await trio.lowlevel.checkpoint()
        self._doors.close(client_id, for_s)

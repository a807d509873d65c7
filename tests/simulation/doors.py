"""Who may come into the broker of a world: devices that flooded may not, for a while."""

from collections.abc import Callable, Sequence

import trio

from actors.access.mqtt_credentials import LISTENER_PREFIX, username_of
from actors.adapters.memory.broker.broker import MemoryBroker
from actors.adapters.memory.broker.clients import Client
from actors.adapters.memory.broker.logins import MemoryLogins
from actors.adapters.nats.client_ids import ClientIds
from actors.ports.broker_sessions import KeptSession
from protocol.errors import Unavailable

LISTENER_CLIENTS = 4  # so many client ids may a listener have


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
    """The power over clients that one process has, and what it knows of listeners' client ids."""

    def __init__(self, doors: Doors, broker: MemoryBroker, is_cut: Callable[[], bool]) -> None:
        super().__init__(broker, is_cut)
        self._doors = doors
        self._client_ids = ClientIds(LISTENER_CLIENTS, self._there)

    async def shut_out(self, client_id: str, for_s: float) -> None:
        await trio.lowlevel.checkpoint()
        self._doors.close(client_id, for_s)

    async def log_in(self, username: str, client_id: str, *, is_clean: bool) -> bool:
        """A client of a listener knocks; answers whether it may come in."""
        await self._client_ids.make_room([(username, client_id)])
        if not self._client_ids.admits(username, client_id):
            return False
        self._client_ids.add(username, client_id)
        self._broker.clients.connect(client_id, is_clean=is_clean)
        return True

    async def kept(self) -> Sequence[KeptSession]:
        found = await super().kept()
        for client_id, client in self._broker.clients.sessions.items():
            username = username_of(client_id) or ""
            if username.startswith(LISTENER_PREFIX) and not client.is_clean:
                self._client_ids.found(username, client_id)
        return found

    async def forget_user(self, username: str) -> None:
        self._client_ids.forget(username)
        await super().forget_user(username)

    async def _there(self, username: str, client_ids: Sequence[str]) -> list[str]:
        sessions = await self._cross()
        return [each for each in client_ids if _is_kept(sessions.get(each))]


def _is_kept(client: Client | None) -> bool:
    """Whether it is connected, or comes back to what the broker keeps for it."""
    return client is not None and (client.is_here or not client.is_clean)

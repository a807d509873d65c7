"""Clients of others on the broker's twin: who is connected, and the sessions that it keeps of them.

clients = Clients()
clients.connect("listener-…", is_clean=False)
clients.leave("listener-…")                    # the session stays
Ports(logins=MemoryLogins(broker), …)
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import trio

from actors.adapters.mqtt.no_logins import NoLogins
from actors.ports.broker_sessions import KeptSession
from protocol.errors import Unavailable

if TYPE_CHECKING:
    from actors.adapters.memory.broker.broker import MemoryBroker


class Client(msgspec.Struct, kw_only=True):
    is_clean: bool
    is_here: bool = True


class Clients:
    """The broker's side: sessions by client id."""

    def __init__(self) -> None:
        self.sessions: dict[str, Client] = {}

    def connect(self, client_id: str, *, is_clean: bool) -> None:
        """A client logs in; an earlier one with its id is gone."""
        self.sessions[client_id] = Client(is_clean=is_clean)

    def leave(self, client_id: str) -> None:
        """Its connection ends; a clean session ends with it (MQTT 3.1.1 §3.1.2.4)."""
        client = self.sessions.get(client_id)
        if client is None:
            return
        client.is_here = False
        if client.is_clean:
            del self.sessions[client_id]

    def restarted(self, *, killed: bool) -> None:
        """The broker ended: a killed one finds clean sessions on its disk, with nobody there."""
        for client_id, client in list(self.sessions.items()):
            client.is_here = False
            if client.is_clean and not killed:
                del self.sessions[client_id]


class MemoryLogins(NoLogins):
    """See `actors.ports.logins.Logins`: what one process has of it."""

    def __init__(self, broker: "MemoryBroker", is_cut: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self._broker = broker
        self._is_cut = is_cut  # whether this process reaches the broker no more

    async def _cross(self) -> dict[str, Client]:
        await trio.lowlevel.checkpoint()
        if self._broker.away or self._is_cut():
            raise Unavailable("the memory broker is away")
        return self._broker.clients.sessions

    async def disconnect(self, client_id: str) -> None:
        await self._cross()
        self._broker.clients.leave(client_id)

    async def kept(self) -> Sequence[KeptSession]:
        sessions = await self._cross()
        return [
            KeptSession(client_id, client.is_clean and not client.is_here)
            for client_id, client in sessions.items()
        ]

    async def forget(self, client_id: str) -> None:
        sessions = await self._cross()
        sessions.pop(client_id, None)

    async def forget_user(self, username: str) -> None:
        for client_id in [each for each in await self._cross() if each.startswith(username)]:
            await self.forget(client_id)

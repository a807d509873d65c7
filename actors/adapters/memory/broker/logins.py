"""What a process may do to other clients on the broker's twin.

Ports(logins=MemoryLogins(broker), …)
"""

from collections.abc import Callable, Sequence

import trio

from actors.adapters.memory.broker.broker import MemoryBroker
from actors.adapters.memory.broker.clients import Client
from actors.adapters.mqtt.no_logins import NoLogins
from actors.ports.broker_sessions import KeptSession
from protocol.device.commands import AGAIN_FIRST_S
from protocol.errors import Unavailable


class MemoryLogins(NoLogins):
    """See `actors.ports.logins.Logins`: the side of one process."""

    def __init__(self, broker: MemoryBroker, is_cut: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self._broker = broker
        self._is_cut = is_cut  # whether this process cannot reach the broker

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

    async def holds_for(self, client_id: str) -> float:
        """Every client of the twin subscribes with QoS 1."""
        client = (await self._cross()).get(client_id)
        if client is None or client.is_clean:
            return 0.0
        if not client.is_here:
            return float("inf")
        return max(0.0, AGAIN_FIRST_S - (trio.current_time() - client.since_s))

    async def forget(self, client_id: str) -> None:
        sessions = await self._cross()
        sessions.pop(client_id, None)

    async def forget_user(self, username: str) -> None:
        for client_id in [each for each in await self._cross() if each.startswith(username)]:
            await self.forget(client_id)

"""Disconnects clients of the embedded broker, and deletes what the broker stores for them."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import nats.errors
import trio

from actors.access.mqtt_credentials import LISTENER_PREFIX, username_of
from actors.adapters.asyncio_bridge import Bridge
from actors.adapters.nats.client_ids import ClientIds
from actors.adapters.nats.connections import Connections
from actors.adapters.nats.mqtt_sessions import MqttSessions
from actors.ports.broker_sessions import KeptSession
from protocol.device.commands import AGAIN_FIRST_S
from protocol.errors import BadPayload, Unavailable, in_words

T = TypeVar("T")

KICK_AGAIN_S = 1.0


class NatsClients:
    """`actors.ports.broker_sessions.BrokerSessions`, and `disconnect` and `health` of the broker.

    Args:
        account: a connection in the account of MQTT.
        system: one in the system account.
        ours: client ids of Roost's own sessions, which are never touched.
        listener_clients: how many client ids a listener may have.
    """

    def __init__(
        self,
        bridge: Bridge,
        account: Any,
        system: Any,
        ours: Sequence[str],
        listener_clients: int,
    ) -> None:
        self._bridge = bridge
        self._connections = Connections(system)
        self._sessions = MqttSessions(account, ours)
        self._client_ids = ClientIds(listener_clients, self._there)
        self._shut_out: dict[str, float] = {}  # client ids, and until when (Trio's clock)

    async def disconnect(self, client_id: str) -> None:
        """Close the connection of a client id, if there is one.

        Raises:
            Unavailable: the broker did not answer.
        """
        await self._ask(self._connections.kick, client_id)

    async def shut_out(self, client_id: str, for_s: float) -> None:
        """See `actors.ports.logins.Logins`. Raises like `disconnect`."""
        self.keep_out([client_id], for_s)
        await self.disconnect(client_id)
        await trio.sleep(KICK_AGAIN_S)  # a login that was answered just before is connected by then
        await self.disconnect(client_id)

    def keep_out(self, client_ids: Iterable[str], for_s: float) -> None:
        """Refuse their logins for this many seconds."""
        now_s = trio.current_time()
        self._shut_out = {name: at_s for name, at_s in self._shut_out.items() if at_s > now_s}
        self._shut_out.update(dict.fromkeys(client_ids, now_s + for_s))

    def is_shut_out(self, client_id: str) -> bool:
        return self._shut_out.get(client_id, 0.0) > trio.current_time()

    async def kept(self) -> Sequence[KeptSession]:
        """See `BrokerSessions`. From now on those of listeners count towards their limits."""
        records = await self._ask(self._sessions.records)
        # Asked after the records, so that no client that is connected by now counts as
        # disconnected.
        here = set(await self._ask(self._connections.client_ids))
        for each in records:
            username = username_of(each.client_id)
            if username is not None and username.startswith(LISTENER_PREFIX) and not each.clean:
                self._client_ids.found(username, each.client_id)
        return [KeptSession(r.client_id, r.clean and r.client_id not in here) for r in records]

    async def holds_for(self, client_id: str) -> float:
        """See `actors.ports.logins.Logins`."""
        record = await self._ask(self._sessions.record, client_id)
        if record is None or record.clean or not record.cons:
            return 0.0
        connected_s = await self._ask(self._connections.connected_s, client_id)
        return float("inf") if connected_s is None else max(0.0, AGAIN_FIRST_S - connected_s)

    async def has_logged_in(self, connection: int) -> bool:
        """Whether this connection, by its number in the broker's log, has logged in. Raises
        `Unavailable`."""
        return await self._ask(self._connections.has_logged_in, connection)

    async def forget(self, client_id: str) -> None:
        """See `BrokerSessions`."""
        await self._ask(self._connections.kick, client_id)
        await self._ask(self._sessions.forget, client_id)

    async def forget_user(self, username: str) -> None:
        """See `BrokerSessions`."""
        here = await self._ask(self._connections.of_user, username)
        for client_id in dict.fromkeys([*self._client_ids.forget(username), *here]):
            await self.forget(client_id)

    async def clear_away(self) -> int:
        """See `BrokerSessions`."""
        return await self._ask(self._sessions.clear_away)

    async def _there(self, username: str, client_ids: Sequence[str]) -> set[str]:
        """Which of these are connected, or have a stored session."""
        there = set(await self._ask(self._connections.of_user, username))
        for client_id in client_ids:
            if client_id not in there:
                record = await self._ask(self._sessions.record, client_id)
                if record is not None and not record.clean:
                    there.add(client_id)
        return there

    async def health(self) -> str:
        """The problem that the server reports about itself; "" for none.

        Only here a stream whose file could not be written reports it; it stays failed.

        Raises:
            Unavailable: it does not answer.
        """
        return await self._ask(self._connections.health)

    async def _ask(self, work: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """Raises `Unavailable` if the broker does not answer, or not as documented."""
        try:
            return await self._bridge.run(work, *args)
        except (nats.errors.Error, TimeoutError, OSError, BadPayload) as error:
            raise Unavailable(f"the broker does not answer: {in_words(error)}") from error

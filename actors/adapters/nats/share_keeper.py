"""Keeps the clients of each user within their share of the broker's QoS 1 subscriptions.

    nursery.start_soon(keeper.run)

The broker has no limit per user: it limits the subscriptions of a connection, and of all. So Roost
checks how many each user has. The newest clients beyond a user's share are disconnected, their
sessions deleted, and their logins refused for a while. Clients without such subscriptions are never
touched. Guarded by `tests/real/test_abuse_clients.py`.
"""

from collections.abc import Callable, Mapping, Sequence

import nats.errors
import structlog
import trio

from actors.access.mqtt_credentials import LISTENER_PREFIX, username_of
from actors.adapters.asyncio_bridge import Bridge
from actors.adapters.nats.clients import NatsClients
from actors.adapters.nats.mqtt_sessions import MqttSessions
from actors.adapters.nats.subscription_shares import SubscriptionShares
from actors.ports.store import Store
from actors.runtime.isolation import Failed, attempt
from actors.runtime.sampled import Sampled
from protocol.errors import BadPayload, Unavailable, in_words

log = structlog.get_logger("roost.logins")

EVERY_S = 2.0
# While a client waits for it.
AT_LEAST_S = 0.5
# With thousands of subscriptions, a look takes some tenths of a second.
RESTS = 10
# All sessions are read to find the users of unknown ones.
RESOLVED_EVERY_S = 60.0
ASKED_MAX = 1_000
# Each takes some milliseconds; after this many, it looks again.
CLOSED_EACH = 256
SHUT_OUT_S = 60.0


class ShareKeeper:
    """Args:
    clients: disconnects clients.
    sessions: the sessions that the broker stores.
    shares: notes who logs in.
    looked: called after each look, before any client is closed.
    """

    def __init__(
        self,
        bridge: Bridge,
        clients: NatsClients,
        sessions: MqttSessions,
        shares: SubscriptionShares,
        store: Store,
        looked: Callable[[], None],
    ) -> None:
        self._bridge = bridge
        self._clients = clients
        self._sessions = sessions
        self._shares = shares
        self._store = store
        self._looked = looked
        self._resolved_s = float("-inf")
        self._logged = Sampled()

    async def begin(self) -> None:
        """Called before anybody may log in: clients that are there now came before Roost."""
        await self._try()

    async def _try(self) -> bool:
        """Whether there may be more to do at once."""
        done = await attempt(self.look)
        if isinstance(done, Failed):
            tell = log.debug if isinstance(done.error, Unavailable) else log.warning
            tell("shares of the broker not looked at", error=in_words(done.error))
            return False
        return done > 0

    async def run(self) -> None:
        """Look, again and again."""
        while True:
            began_s = trio.current_time()
            if not await self._try():
                rests_s = RESTS * (trio.current_time() - began_s)
                await trio.sleep(max(AT_LEAST_S, rests_s))
                with trio.move_on_after(EVERY_S - AT_LEAST_S):
                    await self._shares.wait_unsure()

    async def look(self) -> int:
        """Returns how many were closed.

        Raises:
            Unavailable: the broker or the store does not answer.
        """
        began_s = trio.current_time()
        sessions = await self._ask_broker()
        if sessions is None:
            self._shares.few(began_s)
            self._looked()
            return 0
        if self._shares.unknown(sessions) and began_s >= self._resolved_s + RESOLVED_EVERY_S:
            await self._resolve(sessions)
            self._resolved_s = began_s
        beyond = self._shares.counted(sessions, began_s)
        self._looked()
        for user_id, client_ids in beyond.items():
            self._clients.keep_out(client_ids, SHUT_OUT_S)
            if times := self._logged.times(len(client_ids)):
                log.warning(
                    "a user has too many subscriptions with QoS 1: the newest are closed",
                    user=user_id,
                    most=self._shares.most,
                    client_id=client_ids[-1],
                    times=times,
                )
        # The newest first: the others may still have been within the share.
        last = [client_id for found in beyond.values() for client_id in reversed(found)]
        for client_id in last[:CLOSED_EACH]:
            await self._clients.forget(client_id)
        return len(last[:CLOSED_EACH])

    async def _ask_broker(self) -> Sequence[str] | None:
        """The session of each subscription; None if there are few."""
        try:
            many = await self._bridge.run(self._sessions.subscription_count)
            if many <= self._shares.most // 2:
                return None
            return await self._bridge.run(self._sessions.subscribed)
        except (nats.errors.Error, TimeoutError, OSError, BadPayload) as error:
            raise Unavailable(f"the broker does not tell: {in_words(error)}") from error

    async def _resolve(self, sessions: Sequence[str]) -> None:
        """Find the users of sessions that existed before Roost started."""
        kept = [each.client_id for each in await self._clients.kept()]
        names = {client_id: username_of(client_id) for client_id in kept}
        users = await self._users([name for name in dict.fromkeys(names.values()) if name])
        found = [(users[name], each) for each in kept if (name := names[each] or "") in users]
        self._shares.found(found, sessions)

    async def _users(self, names: Sequence[str]) -> Mapping[str, str]:
        """The users of these user names."""
        users: dict[str, str] = {}
        for start in range(0, len(names), ASKED_MAX):
            part = names[start : start + ASKED_MAX]
            listening = [name for name in part if name.startswith(LISTENER_PREFIX)]
            devices = [name for name in part if not name.startswith(LISTENER_PREFIX)]
            logins = await self._store.logins(devices) if devices else {}
            listeners = await self._store.listener_logins(listening) if listening else {}
            users.update((name, login.user_id) for name, login in logins.items())
            users.update((name, listener.user_id) for name, listener in listeners.items())
        return users

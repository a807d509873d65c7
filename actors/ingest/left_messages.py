"""Fetches what was left with the broker for want of room.

NATS sends again by itself what is not acknowledged; other brokers do so on a new connection only,
so without one it would lie there for as long as the connection holds.
"""

import structlog
import trio

from actors.ingest.room import Room
from actors.ports.broker import Broker

log = structlog.get_logger("roost.gateway")

# Between leaving messages with a broker and fetching them: the patience that NATS has with us, too.
FETCH_AGAIN_S = 5.0
FETCH_MAX_S = 300.0


class LeftMessages:
    """Usage: `left.add(session, connection)`; `nursery.start_soon(left.run)`.

    Attributes:
        untaken: how many messages at QoS 1 were left.
    """

    def __init__(self, broker: Broker, room: Room) -> None:
        self.untaken = 0
        self._broker = broker
        self._room = room
        self._sends_again = {plan.client_id: plan.sends_again for plan in broker.sessions}
        # Connections on which something was left that does not come again on them.
        self._connections: dict[str, int] = {}
        self._came = trio.Event()

    def add(self, session: str, connection: int) -> None:
        """A message was left on this connection."""
        self.untaken += 1
        if not self._sends_again[session]:
            self._connections[session] = connection
            self._came.set()

    async def run(self) -> None:
        """Renew the connections on which something was left, once there is room, until the end."""
        pause_s, fetched_s = FETCH_AGAIN_S, float("-inf")
        while not self._room.is_closed:
            await self._came.wait()
            if trio.current_time() - fetched_s > 2 * pause_s:
                pause_s = FETCH_AGAIN_S
            await trio.sleep(pause_s)
            if self._room.has(0):
                self._came = trio.Event()
                left, self._connections = self._connections, {}
                for session, connection in left.items():
                    log.info("session fetches what was left", session=session)
                    self._broker.renew(session, connection)
                # One full actor must not renew the sessions of all others again and again.
                pause_s, fetched_s = min(2 * pause_s, FETCH_MAX_S), trio.current_time()

"""Fetches messages that were left with the broker because there was no room.

NATS sends unacknowledged messages again by itself. Other brokers do so on a new connection only, so
without one the messages would stay there as long as the connection lasts.
"""

import structlog
import trio

from actors.ingest.room import Room
from actors.ports.broker import Broker

log = structlog.get_logger("roost.gateway")

# Between leaving messages with a broker and fetching them: as long as NATS waits, too.
FETCH_AGAIN_S = 5.0
FETCH_MAX_S = 300.0


class LeftMessages:
    """Usage: `left.add(session, connection)`; `nursery.start_soon(left.run)`.

    Attributes:
        untaken: how many QoS 1 messages were left.
    """

    def __init__(self, broker: Broker, room: Room) -> None:
        self.untaken = 0
        self._broker = broker
        self._room = room
        self._sends_again = {plan.client_id: plan.sends_again for plan in broker.sessions}
        # Connections with messages that were left and are not sent again on them.
        self._connections: dict[str, int] = {}
        self._came = trio.Event()

    def add(self, session: str, connection: int) -> None:
        """A message was left on this connection."""
        self.untaken += 1
        if not self._sends_again[session]:
            self._connections[session] = connection
            self._came.set()

    async def run(self) -> None:
        """Once there is room, renew the connections on which messages were left; for ever."""
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
                    log.info("session reconnects to fetch messages that were left", session=session)
                    self._broker.renew(session, connection)
                # One full actor must not keep renewing the sessions of all others.
                pause_s, fetched_s = min(2 * pause_s, FETCH_MAX_S), trio.current_time()

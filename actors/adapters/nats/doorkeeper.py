"""Connections to the embedded broker that have not logged in: no address may take all places.

The broker has one limit for all connections, gives each ten seconds to log in, and has no limit per
address. While many wait, those of an address beyond its share are closed here, the oldest first. So
abandoned and hostile connections go, and new ones get in. A site whose thousands of devices come
back at once is left alone as long as there is room. Guarded by `tests/real/test_abuse_places.py`.
"""

from collections import defaultdict
from collections.abc import Iterable

import nats.errors
import structlog
import trio

from actors.adapters.asyncio_bridge import Bridge
from actors.adapters.nats.connections import Connection, Connections
from actors.runtime.sampled import Sampled
from protocol.errors import BadPayload, in_words
from protocol.people.networks import network_of

log = structlog.get_logger("roost.logins")

EVERY_S = 2.0
# The part of all places that waiting connections may take; above it, the part for one address.
WAITING_SHARE, OF_ADDRESS_SHARE = 2, 8


class Doorkeeper:
    """Args:
    connections: who is connected.
    most: how many connections the broker accepts.
    """

    def __init__(self, bridge: Bridge, connections: Connections, most: int) -> None:
        self._bridge = bridge
        self._connections = connections
        self._most = most
        self._logged = Sampled()

    async def run(self) -> None:
        """Look, again and again."""
        while True:
            try:
                await self.look()
            except (nats.errors.Error, TimeoutError, OSError, BadPayload) as error:
                log.debug("waiting connections cannot be listed", error=in_words(error))
            await trio.sleep(EVERY_S)

    async def look(self) -> int:
        """Returns how many were closed. Raises what the NATS client raises."""
        closed: dict[str, int] = await self._bridge.run(self._look)
        if times := self._logged.times(sum(closed.values())):
            worst = max(closed, key=lambda network: closed[network])
            log.warning("connections closed before they logged in", address=worst, times=times)
        return sum(closed.values())

    async def _look(self) -> dict[str, int]:
        waiting = await self._connections.not_in(above=self._most // WAITING_SHARE)
        closing = beyond(waiting, max(1, self._most // OF_ADDRESS_SHARE))
        for connections in closing.values():
            await self._connections.close(connections)
        return {network: len(connections) for network, connections in closing.items()}


def beyond(waiting: Iterable[Connection], of_address: int) -> dict[str, list[Connection]]:
    """The oldest connections of each network that has more than its share."""
    of: defaultdict[str, list[Connection]] = defaultdict(list)
    for each in waiting:
        of[network_of(each.ip)].append(each)
    return {
        network: sorted(found, key=lambda each: each.cid)[: len(found) - of_address]
        for network, found in of.items()
        if len(found) > of_address
    }

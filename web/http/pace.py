"""How fast one address is served, whatever it asks for and whoever it says it is.

    await pace.wait("203.0.113.9")

A request costs a millisecond or two before anybody knows whose it is, also one that is refused. So
a client with hundreds of connections would have everybody wait for hundreds of its requests in
each pass of the event loop. Here they wait instead: each takes the next free moment of its address.
"""

import math

import trio

from actors.runtime.buckets import Buckets
from protocol.errors import TooMany

# Of one address, or one client behind a trusted proxy: what two cores can do, and a whole office
# behind one address does not ask for.
PER_S = 1_000.0
# A page that opens asks for some thirty things.
AT_ONCE = 100
# All connections of an address (`web.http.connections`) have their turn within three seconds.
WAIT_MAX_S = 10.0


class Pace:
    """Args:
    per_s: requests of an address.
    """

    def __init__(self, per_s: float) -> None:
        self._buckets = Buckets(AT_ONCE, 1 / per_s)

    async def wait(self, network: str) -> None:
        """Until it is the next one's turn. Raises `TooMany` where too many wait."""
        wait_s = self._buckets.reserve(network, WAIT_MAX_S)
        if wait_s > WAIT_MAX_S:
            detail = "Too many requests from this address"
            raise TooMany(detail, retry_after_s=math.ceil(wait_s))
        if wait_s:
            await trio.sleep(wait_s)

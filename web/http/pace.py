"""How fast one address is served, whatever it requests and whoever is signed in.

    await pace.wait("203.0.113.9")

Every request costs a millisecond or two before its user is known, also if it is refused. So a
client with hundreds of connections could delay everybody by hundreds of its requests in each pass
of the event loop. Here they wait: each one takes the next free slot of its address.
"""

import math

import trio

from actors.runtime.buckets import Buckets
from protocol.errors import TooMany
from protocol.problems.detail import Detail

# Per address, or per client behind a trusted proxy: what two cores can do, and more than an office
# behind one address needs.
PER_S = 1_000.0
# A page that opens sends some thirty requests.
AT_ONCE = 100
# All connections of an address (`web.http.connections`) get their turn within three seconds.
WAIT_MAX_S = 10.0


class Pace:
    """Args:
    per_s: requests of an address.
    """

    def __init__(self, per_s: float) -> None:
        self._buckets = Buckets(AT_ONCE, 1 / per_s)

    async def wait(self, network: str) -> None:
        """Wait for the next free slot. Raises `TooMany` if too many wait."""
        wait_s = self._buckets.reserve(network, WAIT_MAX_S)
        if wait_s > WAIT_MAX_S:
            detail = Detail("too_many_from_address")
            raise TooMany(detail, retry_after_s=math.ceil(wait_s))
        if wait_s:
            await trio.sleep(wait_s)

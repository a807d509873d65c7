"""Which connections may stay: limited per address, and in all.

    place = connections.come("203.0.113.9", scope.cancel)
    if place is None: ...            # there is no room: close it
    place.asks()                     # the head of a request has arrived
    place.known()                    # it belongs to a signed-in user
    place.idle()                     # it is answered
    place.leave()

If there is no room, a connection gives way that has no current request, or no signed-in user. It is
the one that has been so for longest: of this address if its own share is full, else of all. So
clients that send nothing, or half a request, or do not sign in, cannot keep others out, from
however many addresses. Connections with a request of a signed-in user stay. If all are such, the
new connection is closed.

A trusted proxy speaks for many clients: it has no share of its own, and counts among all.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from actors.runtime.sampled import Sampled
from protocol.people.networks import network_of

log = structlog.get_logger("roost.web")

# An idle one takes some 30 kB, a WebSocket 70 kB: half a gigabyte for all of them.
CONNECTIONS_MAX = 8_192
# An office of a hundred people with a dashboard each, behind one address.
OF_ADDRESS_MAX = 512

OF_ADDRESS, OF_ALL, GAVE_WAY, SLOW_HEAD = "address", "all", "gave_way", "slow_head"


class Place:
    """One connection."""

    def __init__(self, among: "Connections", network: str, close: Callable[[], None]) -> None:
        self.network = network
        self.close = close
        self._among = among

    def asks(self) -> None:
        """It has a request of an unknown client."""
        self._among.mark(self, is_known=False)

    def known(self) -> None:
        """Its client has signed in: it gives way to nobody."""
        self._among.mark(self, is_known=True)

    def idle(self) -> None:
        """It has no current request."""
        self._among.mark(self, is_known=False)

    def leave(self) -> None:
        """It is closed. It may have left before."""
        self._among.leave(self)

    def slow_head(self) -> None:
        """It is closed because the head of a request did not arrive completely in time."""
        self._among.closed(SLOW_HEAD, self.network)


class Share:
    """Connections that are counted together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0
        self.unknown: OrderedDict[Place, None] = OrderedDict()  # the longest unknown first

    @property
    def is_full(self) -> bool:
        return self.count >= self.most


class Connections:
    """Args:
    most: in all.
    of_address_max: of one address; an IPv6 /64 counts as one.
    is_trusted: whether an address is a proxy's, which speaks for many clients.
    """

    def __init__(
        self, *, most: int, of_address_max: int, is_trusted: Callable[[str], bool]
    ) -> None:
        self._all = Share(most)
        self._of: dict[str, Share] = {}
        self._of_address_max = of_address_max
        self._is_trusted = is_trusted
        self._placed: dict[Place, tuple[Share, ...]] = {}
        self.closed_for = dict.fromkeys((OF_ADDRESS, OF_ALL, GAVE_WAY, SLOW_HEAD), 0)
        self._told = Sampled()

    def __len__(self) -> int:
        return self._all.count

    def come(self, address: str, close: Callable[[], None]) -> Place | None:
        """A new connection, without a request yet; None if it must be closed at once.

        Args:
            close: called when it has to give way.
        """
        network = network_of(address)
        shares = [self._all]
        if not self._is_trusted(address):
            shares = [self._of.get(network) or Share(self._of_address_max), self._all]
        for share in shares:
            if share.is_full and not self._make_room(share):
                self.closed(OF_ALL if share is self._all else OF_ADDRESS, network)
                return None
        if len(shares) > 1:
            self._of[network] = shares[0]
        place = Place(self, network, close)
        self._placed[place] = tuple(shares)
        for share in shares:
            share.count += 1
            share.unknown[place] = None
        return place

    def _make_room(self, share: Share) -> bool:
        """Close a connection of this share; return whether there was one."""
        if not share.unknown:
            return False
        longest = next(iter(share.unknown))
        self.leave(longest)
        longest.close()
        self.closed(GAVE_WAY, longest.network)
        return True

    def mark(self, place: Place, *, is_known: bool) -> None:
        for share in self._placed.get(place, ()):
            share.unknown.pop(place, None)
            if not is_known:
                share.unknown[place] = None

    def leave(self, place: Place) -> None:
        for share in self._placed.pop(place, ()):
            share.unknown.pop(place, None)
            share.count -= 1
            if not share.count and share is not self._all:
                del self._of[place.network]

    def closed(self, why: str, network: str) -> None:
        """Count it; strangers cause one log line a second at most."""
        self.closed_for[why] += 1
        if times := self._told.times():
            log.warning("connections closed", why=why, address=network, times=times)


def known(scope: Mapping[str, Any]) -> None:
    """The client is signed in, or has a signed link. Args: scope: of ASGI, in whose `state` the
    server has put the `place`."""
    place = (scope.get("state") or {}).get("place")
    if isinstance(place, Place):
        place.known()

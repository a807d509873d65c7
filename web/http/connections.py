"""Which connections may stay: so many of one address, and so many of all.

    place = connections.come("203.0.113.9", scope.cancel)
    if place is None: ...            # there is no room: close it
    place.asks()                     # the head of a request has arrived
    place.known()                    # and it is somebody's who is signed in
    place.idle()                     # it is answered
    place.leave()

Where there is no room, one gives way on which nothing is asked, or by nobody who is known yet: the
one of which that has been so for longest, of this address where its own share is full, else of all.
Who opens connections and says nothing, or half of a request, or does not sign in, from however many
addresses, holds nobody up then; who is signed in and has asked for something keeps her place. If
all are such, the newcomer is the one who goes: nothing of theirs is torn off.

A trusted proxy speaks for many clients: it has no share of its own, and counts among all.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from actors.runtime.sampled import Sampled
from protocol.people.networks import network_of

log = structlog.get_logger("roost.web")

# An idle one takes some 30 kB, a socket 70: all of them, half a gigabyte.
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
        """Something is asked on it, by nobody who is known yet."""
        self._among.mark(self, is_known=False)

    def known(self) -> None:
        """Who asks is known: it gives way to nobody."""
        self._among.mark(self, is_known=True)

    def idle(self) -> None:
        """Nothing is asked on it."""
        self._among.mark(self, is_known=False)

    def leave(self) -> None:
        """It is closed. It may have left before."""
        self._among.leave(self)

    def slow_head(self) -> None:
        """It is closed because the head of a request began, and did not end in time."""
        self._among.closed(SLOW_HEAD, self.network)


class Share:
    """Connections that are counted together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0
        self.unknown: OrderedDict[Place, None] = OrderedDict()  # for longest, first

    @property
    def is_full(self) -> bool:
        return self.count >= self.most


class Connections:
    """Args:
    most: of all.
    of_address_max: of one address; an IPv6 network of 64 bits is one.
    is_trusted: whether an address is a proxy's, which speaks for many.
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
        """A new connection; None where it has to be closed at once. Nothing is asked on it.

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
        """Whether somebody gave way."""
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
        """Count it; strangers write one line a second into the log."""
        self.closed_for[why] += 1
        if times := self._told.times():
            log.warning("connections closed", why=why, address=network, times=times)


def known(scope: Mapping[str, Any]) -> None:
    """Who asks is signed in, or has a link that is. Args: scope: of ASGI, in whose `state` the
    server has left the `place`."""
    place = (scope.get("state") or {}).get("place")
    if isinstance(place, Place):
        place.known()

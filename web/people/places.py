"""Networks from which users have signed in before, so that they are not treated as strangers there.

In memory of this process. After a start, the stored sessions tell (`PeopleStore.account`).
"""

from actors.runtime.recent_keys import RecentKeys
from protocol.people.networks import network_of

PLACES_MAX = 10_000


class Places:
    """Pairs of an account and a network.

    Args:
        most: how many are kept. Beyond it the least recently used pair is forgotten; that user is
            then treated as a stranger.
    """

    def __init__(self, most: int = PLACES_MAX) -> None:
        self._known = RecentKeys(most)

    def add(self, email: str, address: str) -> None:
        """Note that this account signed in from this address."""
        self._known.add(place_of(email, address))

    def knows(self, email: str, address: str) -> bool:
        return place_of(email, address) in self._known


def place_of(email: str, address: str) -> str:
    """The key of an account and a network (an IPv6 network is a /64)."""
    return f"{email.lower()[:254]} {network_of(address)}"

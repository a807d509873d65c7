"""Where people have signed in before: who comes from there is not taken for a stranger.

Of this process; after a start the sessions that run tell it (`PeopleStore.account`).
"""

from collections import OrderedDict

from protocol.people.networks import network_of

PLACES_MAX = 10_000


class Places:
    """Pairs of an account and a network. At most so many; of more the one that was used longest
    ago is forgotten, which only makes a stranger of somebody."""

    def __init__(self, most: int = PLACES_MAX) -> None:
        self._most = most
        self._known: OrderedDict[str, None] = OrderedDict()

    def add(self, email: str, address: str) -> None:
        """Somebody is in who came from there."""
        place = place_of(email, address)
        self._known[place] = None
        self._known.move_to_end(place)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def knows(self, email: str, address: str) -> bool:
        return place_of(email, address) in self._known


def place_of(email: str, address: str) -> str:
    """An account, and a network."""
    return f"{email.lower()[:254]} {network_of(address)}"

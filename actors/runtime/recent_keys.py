"""A bounded set of keys; the one that was added longest ago is forgotten."""

from collections import OrderedDict


class RecentKeys:
    """Args:
    most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __len__(self) -> int:
        return len(self._known)

    def add(self, key: str) -> None:
        """Adding it again makes it the newest."""
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

"""Which copies of retained messages were taken, because every subscription delivers them again.

known = KnownCopies()
known.add(device, topic, said)
known.has(device, topic, said)
"""

from collections import OrderedDict

Key = tuple[str, str]

# Some 200 bytes each. Beyond it, the copies of the device that was heard longest ago are forgotten,
# and taken once more.
KNOWN_MAX = 100_000


class KnownCopies:
    """`said` is a hash of a copy's content; the newest of each topic is known."""

    def __init__(self) -> None:
        self._by_device: OrderedDict[Key, dict[str, int]] = OrderedDict()
        self._many = 0

    def add(self, device: Key, topic: str, said: int) -> None:
        mine = self._by_device.setdefault(device, {})
        self._many += topic not in mine
        mine[topic] = said
        self._by_device.move_to_end(device)
        while self._many > KNOWN_MAX:
            self._many -= len(self._by_device.popitem(last=False)[1])

    def has(self, device: Key, topic: str, said: int) -> bool:
        return self._by_device.get(device, {}).get(topic) == said

    def forget(self, device: Key) -> None:
        self._many -= len(self._by_device.pop(device, {}))

"""Our own empty messages that the broker delivers back to us: they do not come from a device."""

from collections import OrderedDict
from collections.abc import Iterable

import trio

# How long one may be on its way, and how many there may be.
ECHO_S = 60.0
ECHOES_MAX = 20_000


class Echoes:
    """Topics on which we sent an empty message recently."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, float] = OrderedDict()

    def expect(self, topics: Iterable[str]) -> None:
        for each in topics:
            self._sent[each] = trio.current_time()
            self._sent.move_to_end(each)
        while len(self._sent) > ECHOES_MAX:
            self._sent.popitem(last=False)

    def has(self, topic: str) -> bool:
        sent_s = self._sent.get(topic)
        return sent_s is not None and trio.current_time() - sent_s < ECHO_S

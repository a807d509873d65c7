"""The last messages of each device as they arrived, to find out why no reading appears.

They are kept only in memory, since the start of this process; refused messages are also in the
store (`rejected_messages`). Bounds: fifty messages per device, a kilobyte of each, and of all
devices together the most recent ones.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from protocol.problems.detail import Detail
from protocol.records import Origin, Rejection

LAST_MAX = 50
PAYLOAD_MAX = 1_024
TOPIC_KEPT_MAX = 512
BYTES_MAX = 64 << 20
# What an entry costs beside its payload and its topic, about.
ENTRY_BYTES = 300

Key = tuple[str, str]


class Seen(msgspec.Struct, gc=False):
    """A message as it arrived. `payload` is its beginning, `size` the bytes of the whole. `reason`,
    `detail` and `coded` say why it was refused, or why the first refused reading of it was."""

    at_us: int
    topic: str
    payload: bytes
    size: int
    qos: int
    retained: bool
    reason: str = ""
    detail: str = ""
    coded: str | None = None


class RecentMessages:
    """Ring buffers of the last messages. Synchronous; about a microsecond per message."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._rings: OrderedDict[Key, list[Seen]] = OrderedDict()  # a deque takes 760 bytes

    def seen(self, origin: Origin, size: int, qos: int) -> None:
        """A message of a device arrived."""
        payload = origin.payload if size <= PAYLOAD_MAX else origin.payload[:PAYLOAD_MAX]
        seen = Seen(origin.at_us, origin.raw_topic, payload, size, qos, origin.retained)
        self._keep(self._ring(origin.topic.device), seen)

    def not_taken(self, key: Key, at_us: int, topic: str, reason: str, why: Detail) -> None:
        """The broker did not take a message of the device; what was in it is not known."""
        topic = topic[:TOPIC_KEPT_MAX]
        seen = Seen(at_us, topic, b"", 0, 0, False, reason, str(why), why.coded)
        self._keep(self._ring(key), seen)

    def _ring(self, key: Key) -> list[Seen]:
        ring = self._rings.get(key)
        if ring is None:
            ring = self._rings[key] = []
        else:
            self._rings.move_to_end(key)
        return ring

    def _keep(self, ring: list[Seen], seen: Seen) -> None:
        if len(ring) >= LAST_MAX:
            self._bytes -= _bytes_of(ring.pop(0))
        ring.append(seen)
        self._bytes += _bytes_of(seen)
        while self._bytes > self._bytes_max:
            _, oldest = self._rings.popitem(last=False)
            self._bytes -= sum(map(_bytes_of, oldest))

    def refused(self, key: Key, rejections: Iterable[Rejection]) -> None:
        """Messages, or readings in them, were refused."""
        ring = self._rings.get(key, ())
        for rejection in rejections:
            for each in reversed(ring):
                if each.at_us == rejection.received_us and each.topic == rejection.topic:
                    if not each.reason:
                        each.reason, each.detail = str(rejection.reason), rejection.detail
                        each.coded = rejection.coded
                    break

    def of(self, key: Key) -> Sequence[Seen]:
        """The last messages of a device, newest first."""
        return list(reversed(self._rings.get(key, ())))


def _bytes_of(seen: Seen) -> int:
    return ENTRY_BYTES + len(seen.payload) + len(seen.topic)

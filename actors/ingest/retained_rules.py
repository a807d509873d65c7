"""Which retained messages of devices may stay at the broker. Pure.

Each subscription delivers all retained messages. The embedded broker closes a connection that has
more than 64 MB waiting, before anything has arrived.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from actors.ports.retained import Held
from protocol.device.payloads import PAYLOAD_BYTES_MAX
from protocol.device.topics import Kind, Topic, is_feed_key, parse_topic
from protocol.errors import Reason, Refusal
from protocol.problems.detail import Detail
from protocol.records import WriteUnit

# What the broker stores beside a payload: the topic twice, and headers.
BESIDE_BYTES = 512
# Retained bytes are counted for this many devices; of others, each message is judged alone.
DEVICES_MAX = 100_000
# Refusals that do not happen with other settings.
OF_SETTINGS = (
    Reason.UNKNOWN_FEED,
    Reason.FEED_DISABLED,
    Reason.OUT_OF_RANGE,
    Reason.INTERNAL_ERROR,
)


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of each message, of each device, and of all that one session delivers, in bytes.

    `session_bytes` is below what nats-server lets wait for a client (`max_pending`, 64 MB).
    """

    topics: int = 500
    device_bytes: int = 256 * 1024
    message_bytes: int = PAYLOAD_BYTES_MAX
    session_bytes: int = 32 << 20


class Tally:
    """What one device has retained: `excess` tells whether a message is within the bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._topics: dict[str, int] = {}
        self._bytes = 0

    def excess(self, topic: str, size: int) -> Refusal | None:
        """Why it cannot stay; None if it can, and then it counts."""
        bounds = self._bounds
        if size > bounds.message_bytes:
            why = Detail("retained_too_large", size=size, most=bounds.message_bytes)
            return Refusal(Reason.TOO_LARGE, why)
        known = self._topics.get(topic, 0)
        if topic not in self._topics and len(self._topics) >= bounds.topics:
            return Refusal(Reason.TOO_MANY, Detail("retained_many", most=bounds.topics))
        if self._bytes - known + size > bounds.device_bytes:
            why = Detail("retained_bytes", most=bounds.device_bytes)
            return Refusal(Reason.TOO_MANY, why)
        self._topics[topic] = size
        self._bytes += size - known
        return None


class Tallies:
    """For each device, what its current connections have delivered."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._by_session: dict[str, tuple[int, dict[tuple[str, str], Tally]]] = {}

    def of(self, session: str, connection: int, device: tuple[str, str]) -> Tally:
        number, tallies = self._by_session.get(session, (0, {}))
        if number != connection:  # the broker delivers everything again
            number, tallies = connection, {}
            self._by_session[session] = number, tallies
        if device not in tallies and len(tallies) < DEVICES_MAX:
            tallies[device] = Tally(self._bounds)
        return tallies.get(device) or Tally(self._bounds)


def topic_of(text: str) -> Topic | None:
    """The parsed topic; None for a topic that no device may publish to."""
    try:
        return parse_topic(text)
    except Refusal:
        return None


def stays(topic: Topic | None, *, is_seen: bool) -> bool:
    """Whether the message is of use to anybody once it was taken.

    A status tells the next process how the device was. A reading, or a message on a wrong topic,
    stays only if others than Roost may subscribe to it (`is_seen`); an acknowledgement never does.
    """
    if topic is None or topic.kind is Kind.OURS:
        return False
    if topic.kind is Kind.STATUS:
        return True
    return is_seen and topic.kind is not Kind.ACK


def can_be_taken(topic: Topic | None) -> bool:
    if topic is None or topic.kind is Kind.OURS:
        return False
    return topic.kind is not Kind.READING or is_feed_key(topic.tail)


def is_for_good(unit: WriteUnit) -> bool:
    """Whether its copy would be taken or refused in the same way again, whatever the settings."""
    return not any(each.reason in OF_SETTINGS for each in unit.rejections)


def session_of(topic: str) -> str:
    """The session that receives this topic, if the broker maps topics (`partition_plans`)."""
    kind, _, rest = topic.partition("/")
    k = rest.partition("/")[0]
    if kind in ("part", "state"):
        return f"roost-{kind}-{k}"
    parsed = topic_of(topic)
    return "roost-others" if parsed is None or parsed.kind is Kind.OTHER else "roost-wills"


def beyond(held: Iterable[Held], bounds: Bounds) -> list[tuple[Held, Refusal]]:
    """What cannot stay: messages that are too large, too many of one device, or too much for one
    subscription. If there is too much, the largest go."""
    tallies: dict[tuple[str, str], Tally] = {}
    left: dict[str, list[Held]] = defaultdict(list)
    found: list[tuple[Held, Refusal]] = []
    for each in held:
        topic = topic_of(each.topic)
        if topic is None or topic.kind is Kind.OURS:
            found.append((each, Refusal(Reason.BAD_TOPIC, Detail("retained_nowhere"))))
            continue
        tally = tallies.setdefault(topic.device, Tally(bounds))
        why = tally.excess(each.topic, each.size)
        if why is None:
            left[session_of(each.topic)].append(each)
        else:
            found.append((each, why))
    for mine in left.values():
        found += _largest(mine, bounds)
    return found


def _largest(held: Sequence[Held], bounds: Bounds) -> list[tuple[Held, Refusal]]:
    size = sum(each.size + BESIDE_BYTES for each in held)
    found: list[tuple[Held, Refusal]] = []
    for each in sorted(held, key=lambda each: -each.size):
        if size <= bounds.session_bytes:
            break
        size -= each.size + BESIDE_BYTES
        found.append((each, Refusal(Reason.TOO_MANY, Detail("retained_full"))))
    return found

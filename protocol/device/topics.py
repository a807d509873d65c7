"""The topic grammar of CONTRACT §1.

Devices publish under `users/U/devices/D/…`. A broker that can map subjects (NATS) delivers these
as `part/K/users/…` and `state/K/users/…`. The prefix names the partition; parsing drops it.
"""

import re
from enum import Enum, auto
from typing import NamedTuple

from protocol.errors import Reason, Refusal
from protocol.problems.detail import Detail

# The owner of Roost's own probes. No user can have this id, because users' ids are UUIDs.
CANARY_USER = "roost"
DEVICE_CODE = r"[A-Za-z0-9_-]{1,64}"
FEED_KEY = r"[a-z0-9_-]{1,64}"
COMMAND_ID = r"[A-Za-z0-9_-]{1,64}"

_DEVICE_CODE = re.compile(DEVICE_CODE, re.ASCII)
_FEED_KEY = re.compile(FEED_KEY, re.ASCII)
_PREFIX = re.compile(r"(?:part|state)/\d+/", re.ASCII)
_PLACE = rf"users/(?P<user>[A-Za-z0-9-]{{1,64}})/devices/(?P<device>{DEVICE_CODE})"
_TOPIC = re.compile(
    rf"{_PLACE}/"
    rf"(?:(?P<feeds>feeds)(?:/(?P<key>[^/]*))?|(?P<status>status)|commands/(?P<ack>{COMMAND_ID})/ack)",
    re.ASCII,
)
_BELOW = re.compile(rf"{_PLACE}(?:/(?P<tail>.*))?", re.ASCII | re.DOTALL)
# What Roost publishes below a device's prefix.
_OURS = ("commands", "errors")
SHOWN_MAX = 100


class Kind(Enum):
    """What kind of message a topic carries."""

    READING = auto()
    READINGS = auto()
    STATUS = auto()
    ACK = auto()
    OTHER = auto()  # below a device's prefix, and no topic that devices publish to
    OURS = auto()  # what Roost publishes to a device


class Topic(NamedTuple):
    """A parsed topic.

    Attributes:
        device: the key of the device actor: (user id, device code).
        tail: the feed key of a reading, the command id of an ack, or the levels below the
            device's prefix of any other topic.
        is_urgent: whether it goes before readings in a mailbox: status messages and
            acknowledgements.
    """

    device: tuple[str, str]
    kind: Kind
    tail: str = ""
    is_urgent: bool = False

    @property
    def user_id(self) -> str:
        return self.device[0]


def unmapped(topic: str) -> str:
    """The topic as the device published it, without a partition's prefix."""
    found = _PREFIX.match(topic)
    return topic[found.end() :] if found else topic


def parse_topic(topic: str) -> Topic:
    """Parse an unmapped or mapped topic.

    Raises:
        Refusal: `bad_topic`; such a message belongs to no device. An invalid feed key, and any
            other topic below a device's prefix, are accepted here, because their device is known
            and is told of the refusal later.
    """
    plain = unmapped(topic)
    found = _TOPIC.fullmatch(plain)
    if found is None:
        return _other(plain)
    device = found["user"], found["device"]
    if found["status"]:
        return Topic(device, Kind.STATUS, is_urgent=True)
    if found["ack"]:
        return Topic(device, Kind.ACK, found["ack"], is_urgent=True)
    if found["key"] is None:
        return Topic(device, Kind.READINGS)
    return Topic(device, Kind.READING, found["key"])


def too_long(start: str) -> Topic:
    """A topic that is longer than any of a device's, by its beginning. Raises as `parse_topic`."""
    return _other(unmapped(start))._replace(kind=Kind.OTHER)


def _other(plain: str) -> Topic:
    found = _BELOW.fullmatch(plain)
    if found is None or found["user"] == CANARY_USER:
        raise Refusal(Reason.BAD_TOPIC, Detail("topic_foreign"))
    tail = found["tail"] or ""
    kind = Kind.OURS if tail in _OURS else Kind.OTHER
    return Topic((found["user"], found["device"]), kind, tail)


def wrong_topic(topic: Topic) -> Refusal:
    """Why no message of a device is taken on this topic, and which one may have been meant."""
    place = prefix(*topic.device)
    meant = "/".join(each for each in topic.tail.split("/") if each)
    for guess in (meant, meant.lower()):
        if guess != topic.tail and _TOPIC.fullmatch(f"{place}/{guess}"):
            return Refusal(
                Reason.BAD_TOPIC, Detail("topic_mistaken", topic=_shown(topic), meant=guess)
            )
    return Refusal(Reason.BAD_TOPIC, Detail("topic_unknown", topic=_shown(topic)))


def _shown(topic: Topic) -> str:
    """What stands below the device's prefix."""
    tail = topic.tail
    return repr(tail if len(tail) <= SHOWN_MAX else tail[:SHOWN_MAX] + "…")[1:-1]


def prefix(user_id: str, device_code: str) -> str:
    """The topic prefix of a device, without a trailing slash."""
    return f"users/{user_id}/devices/{device_code}"


def errors_topic(user_id: str, device_code: str) -> str:
    """The topic on which a device is told why its messages were refused."""
    return prefix(user_id, device_code) + "/errors"


def commands_topic(user_id: str, device_code: str) -> str:
    """The topic on which a device receives its commands."""
    return prefix(user_id, device_code) + "/commands"


def is_device_code(text: str) -> bool:
    return _DEVICE_CODE.fullmatch(text) is not None


def is_feed_key(text: str) -> bool:
    return _FEED_KEY.fullmatch(text) is not None


def partition(user_id: str, device_code: str, partitions: int) -> int:
    """The partition of a device (0 to N-1), as NATS computes it for `partition(N,1,2)`.

    FNV-1a, 32 bits, over the two subject tokens without a separator, modulo N
    (nats-server `subject_transform.go`; guarded by a test against the real server).
    """
    digest = 2_166_136_261
    for byte in (user_id + device_code).encode():
        digest = ((digest ^ byte) * 16_777_619) & 0xFFFF_FFFF
    return digest % partitions

"""What may be published at all: bounds of ours, well within those of every broker.

A broker answers a topic that it does not take (a wildcard, NUL, a control character, a space, an
empty level with some) and a message that is too long by ending the connection, and with it whatever
else was on its way. So nothing of the kind leaves the service, wherever it came from: a device's
code in the database may be anything.
"""

import re

from protocol.errors import Unpublishable

# The longest of ours has some 200 characters: `live/U/devices/D/feeds/K`.
TOPIC_MAX = 512
# The longest of ours is a document of Home Assistant (`protocol.device.listeners`). NATS takes
# 8 MB, as the embedded one is set up, and 1 MB by itself.
PAYLOAD_MAX = 256 * 1024

# What the names in our topics are made of (`protocol.device.topics`).
_TOPIC = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*", re.ASCII)


def fault_of(topic: str, payload: bytes) -> Unpublishable | None:
    """Why this cannot be published; None where it can."""
    if len(topic) > TOPIC_MAX:
        return Unpublishable(f"the topic has {len(topic)} characters; at most {TOPIC_MAX} are sent")
    if _TOPIC.fullmatch(topic) is None:
        return Unpublishable(f"no broker takes the topic {topic!r}")
    if len(payload) > PAYLOAD_MAX:
        return Unpublishable(f"it has {len(payload)} bytes; at most {PAYLOAD_MAX} are sent")
    return None


def can_be_cleared(topic: str) -> bool:
    """Whether an empty message may go to a topic that the broker itself has brought: it has taken
    it from a device before."""
    return 0 < len(topic) <= TOPIC_MAX and not any(each in topic for each in "+#\0")

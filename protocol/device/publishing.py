"""What Roost may publish: bounds well within those of every broker.

A broker ends the connection for a topic that it does not accept (a wildcard, NUL, a control
character; with some brokers a space or an empty level) and for a message that is too long, and
everything else under way is lost with it. So every message is checked here before it is sent; even
a device code in the database could be anything.
"""

import re

from protocol.errors import Unpublishable

# Roost's longest topic has some 200 characters: `live/U/devices/D/feeds/K`.
TOPIC_MAX = 512
# Roost's longest message is a Home Assistant document (`protocol.device.listeners`). NATS accepts
# 1 MB by default, and 8 MB as the embedded one is configured.
PAYLOAD_MAX = 256 * 1024

# The names in Roost's topics (`protocol.device.topics`).
_TOPIC = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*", re.ASCII)


def fault_of(topic: str, payload: bytes) -> Unpublishable | None:
    """Why this message cannot be published; None if it can."""
    if len(topic) > TOPIC_MAX:
        return Unpublishable(f"the topic has {len(topic)} characters; the maximum is {TOPIC_MAX}")
    if _TOPIC.fullmatch(topic) is None:
        return Unpublishable(f"no broker accepts the topic {topic!r}")
    if len(payload) > PAYLOAD_MAX:
        return Unpublishable(f"the payload has {len(payload)} bytes; the maximum is {PAYLOAD_MAX}")
    return None


def can_be_cleared(topic: str) -> bool:
    """Whether an empty message may be sent to a topic that the broker itself delivered.

    The broker accepted that topic from a device, so less is checked than in `fault_of`.
    """
    return 0 < len(topic) <= TOPIC_MAX and not any(each in topic for each in "+#\0")

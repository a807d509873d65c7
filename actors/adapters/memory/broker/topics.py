"""Topic filters, and where a broker moves devices' messages."""

from functools import lru_cache

from actors.ports.broker import SessionPlan
from protocol.device.topics import Kind, parse_topic, partition
from protocol.errors import Refusal

# The subject mapping of the embedded broker (`roost.embedded.broker`).
MAPPED = (
    ("users/+/devices/+/feeds", "part"),
    ("users/+/devices/+/feeds/+", "part"),
    ("users/+/devices/+/status", "state"),
    ("users/+/devices/+/commands/+/ack", "state"),
)


def subscribes(plan: SessionPlan, topic: str) -> bool:
    return any(matches(each, topic) for each in plan.filters)


@lru_cache(10_000)
def matches(pattern: str, topic: str) -> bool:
    """Whether a topic filter with `+` and `#` matches a topic (MQTT 3.1.1 §4.7). `#` also stands
    for no level at all."""
    wanted, got = pattern.split("/"), topic.split("/")
    for n, level in enumerate(wanted):
        if level == "#":
            return True
        if n >= len(got) or level not in ("+", got[n]):
            return False
    return len(wanted) == len(got)


def is_devices(topic: str) -> bool:
    """Whether a device may publish to it: below its own prefix, except what we publish there."""
    is_ours = any(matches(f"users/+/devices/+/{each}", topic) for each in ("commands", "errors"))
    return matches("users/+/devices/+/#", topic) and not is_ours


def kind_of(topic: str) -> Kind | None:
    """What a device says on this topic; None where no device does."""
    try:
        return parse_topic(topic).kind
    except Refusal:
        return None


def mapped(topic: str, partitions: int) -> str:
    """The topic to which the broker maps this one; without partitions it stays the same."""
    if not partitions:
        return topic
    kinds = [kind for pattern, kind in MAPPED if matches(pattern, topic)]
    if not kinds:
        return topic
    _, user_id, _, code, *_ = topic.split("/")
    return f"{kinds[0]}/{partition(user_id, code, partitions)}/{topic}"

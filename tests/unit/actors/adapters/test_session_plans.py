"""Each message of a device is taken from one session, whatever the broker."""

import pytest

from actors.adapters.memory.broker.topics import mapped, subscribes
from actors.adapters.mqtt.plans import partition_plans, plain_plans
from actors.ports.broker import SessionPlan
from protocol.device.topics import Kind, parse_topic
from tests.unit.makers import USER

PARTITIONS = 4


def takers(plans: list[SessionPlan], published: str, topic: str) -> list[str]:
    """The sessions that take a message which the broker moved to that topic."""
    kind = parse_topic(published).kind
    return [
        plan.client_id
        for plan in plans
        if subscribes(plan, topic) and (plan.kinds is None or kind in plan.kinds)
    ]


@pytest.mark.parametrize(
    "tail",
    [
        "feeds",
        "feeds/t",
        "feeds/",
        "feeds/t/",
        "feeds//t",
        "feeds/kitchen/t",
        "status",
        "Status",
        "status/",
        "telemetry",
        "commands/c-1/ack",
        "commands/a.b/ack",
        "commands/a.b",
        "commands/a/b/ack",
        "",
    ],
)
def test_each_message_is_taken_once(tail: str) -> None:
    published = f"users/{USER}/devices/d1/{tail}" if tail else f"users/{USER}/devices/d1"
    moved = mapped(published, PARTITIONS)
    assert len(takers(plain_plans(), published, published)) == 1
    assert len(takers(partition_plans(PARTITIONS), published, moved)) == 1
    # What arrives in one read with its CONNECT is not moved.
    assert len(takers(partition_plans(PARTITIONS), published, published)) == 1


@pytest.mark.parametrize("tail", ["feeds", "feeds/t", "feeds/kitchen/t", "telemetry"])
def test_a_message_with_readings_is_delivered_once(tail: str) -> None:
    """Each further session that subscribes to it costs the broker and Roost as much again."""
    topic = f"users/{USER}/devices/d1/{tail}"
    assert len([plan for plan in plain_plans() if subscribes(plan, topic)]) == 1


@pytest.mark.parametrize("tail", ["commands", "errors"])
def test_what_we_publish_ourselves_is_never_taken(tail: str) -> None:
    topic = f"users/{USER}/devices/d1/{tail}"
    assert parse_topic(topic).kind is Kind.OURS
    for plans in (plain_plans(), partition_plans(PARTITIONS)):
        assert takers(plans, topic, topic) == []

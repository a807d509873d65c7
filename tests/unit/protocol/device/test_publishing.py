"""What Roost may publish: `protocol.device.publishing`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.device import listeners
from protocol.device.publishing import PAYLOAD_MAX, TOPIC_MAX, fault_of
from protocol.device.topics import commands_topic, errors_topic
from tests.unit.makers import USER

LONG = "x" * 64
BAD = [
    *("", "/", "a/", "/a", "a//b", "a#b", "a/+/b", "#", "a\0b", "a b", "a\nb", "é", "a\ud800b"),
    *("a\x7fb", "a\ufffe", "$SYS/a", "a*", "a/>", "a.b", "a" * (TOPIC_MAX + 1)),
]


@pytest.mark.parametrize("topic", BAD, ids=ascii)
def test_a_topic_that_some_broker_ends_connections_for_is_refused(topic: str) -> None:
    assert fault_of(topic, b"") is not None


def test_all_topics_of_ours_are_taken() -> None:
    topics = [commands_topic(USER, LONG), errors_topic(USER, LONG)]
    topics += [listeners.reading_topic(USER, LONG, LONG), listeners.status_topic(USER, LONG)]
    topics += [listeners.discovery_topic(USER, LONG)]
    for topic in topics:
        assert fault_of(topic, b"x" * PAYLOAD_MAX) is None
        assert fault_of(topic, b"x" * (PAYLOAD_MAX + 1)) is not None


@given(st.text())
def test_whatever_a_code_is_no_wildcard_and_no_control_character_is_sent(code: str) -> None:
    if fault_of(commands_topic(USER, code), b"") is None:
        assert code and not set("#+\0 ") & set(code) and code.isprintable()

"""A message is told apart once: what it is, how many readings it has, and what it is known by."""

import pytest

from actors.ingest.decoding import (
    DecodedAck,
    DecodedReadings,
    DecodedRefusal,
    DecodedStatus,
    decode,
)
from protocol.device.topics import parse_topic, prefix
from protocol.errors import Reason
from tests.unit.makers import NOW, USER

NO_KEY = b'{"Bad Key": 1, "id": "x"}'


@pytest.mark.parametrize(
    ("tail", "payload", "kind", "readings", "has_identity"),
    [
        ("feeds/t", b"5", DecodedReadings, 1, False),
        ("feeds/t", b'{"value": 5, "ts": 1790000000}', DecodedReadings, 1, True),
        ("feeds/t", b'{"value": 5, "id": "x"}', DecodedReadings, 1, True),
        ("feeds", b'{"a": 1, "b": 2, "id": "x"}', DecodedReadings, 2, True),
        ("feeds", b'[{"a": 1, "id": "x"}, {"b": 2}]', DecodedReadings, 2, False),
        ("feeds", NO_KEY, DecodedReadings, 1, False),
        ("feeds", b"{}", DecodedRefusal, 1, False),
        ("feeds/t", b"{", DecodedRefusal, 1, False),
        ("status", b'{"status": "online"}', DecodedStatus, 0, False),
        ("status", b'{"status": "online", "rssi": -70}', DecodedStatus, 0, False),
        ("status", b"Offline", DecodedStatus, 0, False),
        ("feeds/t", b"hello", DecodedReadings, 1, False),
        ("feeds/t", b'{"value": 5, "id": 0}', DecodedReadings, 1, False),
        ("feeds", b'{"values": {"a": 1}, "b": 2, "id": "x"}', DecodedReadings, 2, False),
        ("status", b"{", DecodedRefusal, 0, False),
        ("commands/c1/ack", b'{"status": "succeeded"}', DecodedAck, 0, True),
        ("commands/c1/ack", b"{}", DecodedRefusal, 0, False),
    ],
)
def test_what_a_message_is_and_what_it_counts_for(
    tail: str, payload: bytes, kind: type, readings: int, has_identity: bool
) -> None:
    topic = parse_topic(f"{prefix(USER, 'd1')}/{tail}")
    decoded = decode(topic, payload, NOW, retained=False)
    assert isinstance(decoded, kind)
    assert (decoded.readings, decoded.has_identity) == (readings, has_identity)


def test_the_copy_of_a_retained_reading_is_known_by_its_value() -> None:
    topic = parse_topic(f"{prefix(USER, 'd1')}/feeds")
    assert decode(topic, b'{"a": 1}', NOW, retained=True).has_identity
    assert not decode(topic, NO_KEY, NOW, retained=True).has_identity
    refused = decode(topic, b"5", NOW, retained=True)
    assert isinstance(refused, DecodedReadings)
    assert refused.said[0].refusal is not None
    assert refused.said[0].refusal.reason is Reason.WRONG_SHAPE


@pytest.mark.parametrize(
    ("tail", "payload"),
    [
        ("feeds/t", b"{"),
        ("feeds/t", b"\xff"),
        ("feeds/t", b"[" * 9_000),
        ("feeds", b"{}"),
        ("feeds", b'{"a": 1, "ts": "never"}'),
        ("feeds", NO_KEY),
        ("status", b"{"),
        ("status", b'{"temperature": "warm"}'),
        ("commands/c1/ack", b"{}"),
    ],
)
def test_a_refusal_holds_nothing_of_where_it_was_raised(tail: str, payload: bytes) -> None:
    """Its traceback holds every frame of the stack, and these the message that holds the refusal:
    messages are not looked at by collections (`gc=False`), so each of them stayed for ever."""
    topic = parse_topic(f"{prefix(USER, 'd1')}/{tail}")
    decoded = decode(topic, payload, NOW, retained=False)
    if isinstance(decoded, DecodedRefusal):
        refusals = [decoded.refusal]
    else:
        assert isinstance(decoded, DecodedReadings | DecodedStatus)
        parts = decoded.said if isinstance(decoded, DecodedReadings) else decoded.said.refused
        refusals = [each.refusal for each in parts if each.refusal is not None]
    assert refusals
    for refusal in refusals:
        raised = refusal.__traceback__, refusal.__cause__, refusal.__context__
        assert raised == (None, None, None)

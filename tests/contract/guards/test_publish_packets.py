"""A PUBLISH that we take apart ourselves says what gmqtt finds in it, whatever the packet."""

from typing import Any

import gmqtt
import pytest
from gmqtt.mqtt.constants import MQTTv50, MQTTv311
from hypothesis import given
from hypothesis import strategies as st

from actors.adapters.mqtt.publish_packets import take_apart

Found = tuple[int, bytes, str, bool, bool]

TOPIC = "users/ü/devices/d/feeds/t"
EXPIRES = b"\x05\x02\x00\x00\x00\x3c"  # five bytes of properties: message expiry (§3.3.2.3.3)


def by_gmqtt(command: int, packet: bytes, version: int) -> list[Found]:
    client = gmqtt.Client("guard")
    handler = client._package_handler
    handler._connection_state.protocol_version = version
    found: list[Found] = []

    def note(mid: int, payload: bytes, topic: str, properties: dict[str, Any]) -> None:
        found.append((mid, payload, topic, bool(properties["dup"]), bool(properties["retain"])))

    handler._handle_qos_1_publish_packet = note
    handler._handle_publish_packet(command, packet)
    return found


def by_us(command: int, packet: bytes, version: int) -> list[Found]:
    found: list[Found] = []

    def note(mid: int, payload: bytes, topic: str, dup: bool, retain: bool) -> None:
        found.append((mid, payload, topic, dup, retain))

    has_properties = version == MQTTv50
    taken = take_apart(command, packet, has_properties=has_properties, deliver=note)
    assert taken == bool(found)
    return found


def packet_of(topic: bytes, mid: int, payload: bytes, properties: bytes = b"") -> bytes:
    return len(topic).to_bytes(2, "big") + topic + mid.to_bytes(2, "big") + properties + payload


@pytest.mark.parametrize("flags", [0x00, 0x01, 0x08, 0x09])
@pytest.mark.parametrize("version", [MQTTv311, MQTTv50])
@pytest.mark.parametrize("payload", [b"", b'{"value":21.5}', b"\x00\xff"])
def test_a_plain_one_is_taken(flags: int, version: int, payload: bytes) -> None:
    none = b"\x00" if version == MQTTv50 else b""
    packet = packet_of(TOPIC.encode(), 300, payload, none)
    command = 0x32 | flags
    wanted = (300, payload, TOPIC, bool(flags & 8), bool(flags & 1))
    assert by_us(command, packet, version) == by_gmqtt(command, packet, version) == [wanted]


@pytest.mark.parametrize(
    ("command", "packet", "version"),
    [
        (0x30, packet_of(b"a", 1, b"x"), MQTTv311),  # QoS 0 and 2
        (0x34, packet_of(b"a", 1, b"x"), MQTTv311),
        (0x32, packet_of(b"a", 1, b"x", EXPIRES), MQTTv50),
        (0x32, packet_of(b"", 1, b"x"), MQTTv311),  # no topic: an alias, or malformed
        (0x32, packet_of(b"\xff", 1, b"x"), MQTTv311),
        (0x32, b"\x00\x05a", MQTTv311),  # cut off
        (0x32, packet_of(b"a", 1, b""), MQTTv50),  # without the length of its properties
        (0x32, b"", MQTTv311),
    ],
)
def test_whatever_is_not_plain_is_gmqtt_s(command: int, packet: bytes, version: int) -> None:
    assert by_us(command, packet, version) == []


@given(
    st.integers(0x30, 0x3F),
    st.binary(max_size=40) | st.binary(max_size=8).map(lambda some: b"\x00\x02ab\x00" + some),
    st.sampled_from([MQTTv311, MQTTv50]),
)
def test_what_we_take_is_what_gmqtt_finds(command: int, packet: bytes, version: int) -> None:
    found = by_us(command, packet, version)
    if found:
        assert by_gmqtt(command, packet, version) == found

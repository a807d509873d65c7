"""The documents of Home Assistant are as it documents them."""

from typing import Any

import jsonschema_rs
import msgspec
import pytest

from actors.user.republisher import FeedsOf
from protocol.device.listeners import COMPONENTS_BYTES_MAX, COMPONENTS_MAX, discovery
from protocol.records import DeviceState
from tests.unit.makers import some_device, some_feed

# The documented form: home-assistant.io, "MQTT", "Device discovery payload", and of the components
# "MQTT Sensor" and "MQTT Binary sensor".
TEMPLATE = {"type": "string", "minLength": 1}
DOCUMENTED: dict[str, Any] = {
    "type": "object",
    "required": ["device", "origin", "components"],
    "additionalProperties": False,
    "properties": {
        "device": {
            "type": "object",
            "required": ["identifiers", "name"],
            "additionalProperties": False,
            "properties": {
                "identifiers": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                "name": {"type": "string"},
                "sw_version": {"type": "string"},
            },
        },
        "origin": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {"name": {"type": "string"}, "sw_version": {"type": "string"}},
        },
        "availability": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["topic"],
                "additionalProperties": False,
                "properties": {"topic": TEMPLATE, "value_template": TEMPLATE},
            },
        },
        "qos": {"enum": [0, 1, 2]},
        "components": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["platform", "unique_id", "name", "state_topic"],
                "additionalProperties": False,
                "properties": {
                    "platform": {"enum": ["sensor", "binary_sensor"]},
                    "unique_id": TEMPLATE,
                    "name": {"type": "string"},
                    "state_topic": {"type": "string", "pattern": "^[^#+]+$"},
                    "value_template": TEMPLATE,
                    "unit_of_measurement": {"type": "string"},
                    "state_class": {"enum": ["measurement", "total", "total_increasing"]},
                },
            },
        },
    },
}


@pytest.mark.parametrize("kind", ["number", "bool", "text"])
def test_documents_are_as_home_assistant_documents_them(kind: Any) -> None:
    device = some_device(state=DeviceState(firmware="1.4"), name="Shed é")
    feeds = [some_feed("t", kind=kind, unit="°C"), some_feed("u", 2, kind=kind)]
    document = msgspec.json.decode(discovery(device, feeds, "0.1").payload)
    jsonschema_rs.validate(DOCUMENTED, document)
    platforms = {each["platform"] for each in document["components"].values()}
    assert platforms == {"binary_sensor" if kind == "bool" else "sensor"}
    units = [each.get("unit_of_measurement") for each in document["components"].values()]
    assert units == (["°C", None] if kind == "number" else [None, None])


@pytest.mark.parametrize("name", ["t", "\x01" * 200, "\U0001d4b3" * 200])
def test_a_document_is_bounded_and_its_own_feeds_go_first(name: str) -> None:
    """Feeds that anybody may make made a document of nine megabytes; the broker ended the
    connection by which it came, and everybody's commands with it, for ever."""
    device = some_device()
    found = FeedsOf()
    for n in range(1, 5_001):
        owner = device.id if n > 4_900 else None
        found.add(some_feed(f"{n:064}", n, name=name, unit="\x01" * 32, device_id=owner))
    document, left_out = discovery(device, found.of(device), "0.1")
    assert len(document) <= COMPONENTS_BYTES_MAX + COMPONENTS_MAX * 80 + 1_000
    components = list(msgspec.json.decode(document)["components"])
    assert len(components) + left_out == 5_000
    assert len(components) == COMPONENTS_MAX or len(document) > COMPONENTS_BYTES_MAX * 0.9
    assert components[:70] == [f"feed_{n:064}" for n in range(4_901, 4_971)]

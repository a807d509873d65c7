"""What is published again: to whom, where, in which form, and never older after newer."""

import json
from collections.abc import Sequence
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import trio
import trio.testing

from actors.neighbours import Neighbours
from actors.ports import Publication
from protocol.events import DeviceChanged, FeedValue
from protocol.listeners import Listener, discovery
from protocol.records import DeviceState, Feed
from tests.unit.makers import DEVICE, NOW, OTHER_USER, USER, some_device, some_feed

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


class Broker:
    """Takes what is published; `gate` holds up what is published at QoS 1."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bool]] = []
        self.gate = trio.Event()
        self.gate.set()

    def publish_nowait(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        self.sent.append((topic, payload, retain))
        return True

    async def publish(self, messages: Sequence[Publication]) -> list[bool]:
        await self.gate.wait()
        self.sent += [(m.topic, m.payload, m.retain) for m in messages]
        return [True] * len(messages)


class Store:
    """A device with a feed, and who listens."""

    def __init__(self) -> None:
        self.who: dict[str, Listener] = {}
        self.device = some_device()
        self.feeds_of = [some_feed("t", unit="°C"), some_feed("shared", 2, device_id=None)]
        self.reading: trio.Event | None = None

    async def listeners(self) -> list[Listener]:
        await trio.lowlevel.checkpoint()
        return list(self.who.values())

    async def listener(self, user_id: str) -> Listener | None:
        await trio.lowlevel.checkpoint()
        return self.who.get(user_id)

    async def devices(self, user_id: str, limit: int, after: int) -> list[Any]:
        found = [self.device] if after < self.device.num else []
        if self.reading is not None:
            await self.reading.wait()
        await trio.lowlevel.checkpoint()
        return found

    async def feeds(self, user_id: str, limit: int, after: int) -> list[Feed]:
        await trio.lowlevel.checkpoint()
        return [feed for feed in self.feeds_of if feed.num > after]


def listening(user_id: str = USER, *, home_assistant: bool = False) -> Listener:
    return Listener(
        user_id=user_id,
        username="listener-1",
        password_sha256=b"",
        home_assistant=home_assistant,
        created_us=NOW,
    )


@pytest.fixture
def parts() -> tuple[Neighbours, Store, Broker]:
    store, broker = Store(), Broker()
    neighbours = Neighbours(store, broker, "1.2")  # type: ignore[arg-type]
    return neighbours, store, broker


def value(number: float = 1.5) -> FeedValue:
    return FeedValue("f", "t", DEVICE, number, NOW)


def state(version: int, **changes: Any) -> DeviceChanged:
    changed = DeviceState(version=version, status="online", **changes)
    return DeviceChanged(some_device(state=changed))


Parts = tuple[Neighbours, Store, Broker]


async def test_only_who_listens_is_told(parts: Parts, nursery: trio.Nursery) -> None:
    neighbours, store, broker = parts
    store.who[USER] = listening()
    nursery.start_soon(neighbours.run)
    await trio.testing.wait_all_tasks_blocked()
    neighbours.tell(OTHER_USER, "d1", value())
    neighbours.tell(USER, "d1", value())
    neighbours.tell(USER, "d1", state(1))
    (reading, status) = broker.sent
    assert reading[0] == f"live/{USER}/devices/d1/feeds/t"
    assert json.loads(reading[1]) == {"value": 1.5, "ts": "2026-09-21T14:13:20.000000Z"}
    assert (reading[2], status[0], status[2]) == (False, f"live/{USER}/devices/d1/status", True)
    del store.who[USER]
    neighbours.changed(USER)
    await trio.testing.wait_all_tasks_blocked()
    neighbours.tell(USER, "d1", value())
    assert len(broker.sent) == 2


async def test_a_new_listener_finds_every_state_and_none_that_is_old(
    parts: Parts, nursery: trio.Nursery
) -> None:
    neighbours, store, broker = parts
    nursery.start_soon(neighbours.run)
    await trio.testing.wait_all_tasks_blocked()
    store.who[USER] = listening()
    neighbours.changed(USER)
    await trio.testing.wait_all_tasks_blocked()
    assert [(topic, retain) for topic, _, retain in broker.sent] == [
        (f"live/{USER}/devices/d1/status", True)
    ]
    # It is read, and while the answer travels the device says something newer.
    broker.sent.clear()
    store.reading = trio.Event()
    neighbours.changed(USER)
    await trio.testing.wait_all_tasks_blocked()
    neighbours.tell(USER, "d1", state(5, temperature=40.0))
    store.reading.set()
    await trio.testing.wait_all_tasks_blocked()
    assert [json.loads(p)["temperature"] for _, p, _ in broker.sent] == [40.0]


async def test_home_assistant_gets_documents_and_loses_them(
    parts: Parts, nursery: trio.Nursery
) -> None:
    neighbours, store, broker = parts
    nursery.start_soon(neighbours.run)
    store.who[USER] = listening(home_assistant=True)
    neighbours.changed(USER)
    await trio.testing.wait_all_tasks_blocked()
    topic = f"live/{USER}/homeassistant/device/d1/config"
    document = json.loads({t: p for t, p, _ in broker.sent}[topic])
    assert set(document["components"]) == {"feed_t", "feed_shared"}
    store.who[USER] = listening()
    neighbours.changed(USER)
    await trio.testing.wait_all_tasks_blocked()
    assert {t: p for t, p, _ in broker.sent}[topic] == b""
    neighbours.gone(USER, "d1")
    assert broker.sent[-1] == (topic, b"", True)


@pytest.mark.parametrize("kind", ["number", "bool", "text"])
def test_documents_are_as_home_assistant_documents_them(kind: Any) -> None:
    device = some_device(state=DeviceState(firmware="1.4"), name="Shed é")
    feeds = [some_feed("t", kind=kind, unit="°C"), some_feed("u", 2, kind=kind)]
    document = msgspec.json.decode(discovery(device, feeds, "0.1"))
    jsonschema_rs.validate(DOCUMENTED, document)
    platforms = {each["platform"] for each in document["components"].values()}
    assert platforms == {"binary_sensor" if kind == "bool" else "sensor"}
    units = [each.get("unit_of_measurement") for each in document["components"].values()]
    assert units == (["°C", None] if kind == "number" else [None, None])

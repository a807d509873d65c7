"""Documents of Home Assistant, and what is retained of a device that is deleted."""

import json
from typing import Any

import msgspec
import pytest
import structlog
import trio
import trio.testing

from protocol.device import listeners
from tests.unit.actors.user.relay_scene import DOCUMENT, STATUS, Parts, begin, listening, settled
from tests.unit.makers import DEVICE, OTHER_USER, USER, some_device, some_feed


async def test_home_assistant_gets_documents_and_loses_them(
    parts: Parts, nursery: trio.Nursery
) -> None:
    mqtt_relay, store, broker = parts
    nursery.start_soon(mqtt_relay.run)
    store.who[USER] = listening(home_assistant=True)
    mqtt_relay.changed(USER)
    await settled()
    (text,) = broker.texts(DOCUMENT)
    assert set(json.loads(text)["components"]) == {"feed_t", "feed_shared"}
    store.who[USER] = listening()
    mqtt_relay.changed(USER)
    await settled()
    assert broker.texts(DOCUMENT) == [text, b""]
    store.who[USER] = listening(home_assistant=True)
    mqtt_relay.changed(USER)
    await settled()
    del store.who[USER]
    mqtt_relay.changed(USER)
    await settled()
    assert broker.texts(DOCUMENT) == [text, b"", text, b""]


async def test_of_a_deleted_device_nothing_is_retained(parts: Parts, nursery: trio.Nursery) -> None:
    mqtt_relay, store, broker = parts
    await begin(parts, nursery)
    # It was read, and is deleted before the answer is here.
    store.reading = trio.Event()
    mqtt_relay.changed(USER)
    await settled()
    store.is_deleted = True
    mqtt_relay.device_deleted(USER, "d1")
    await settled()
    assert broker.texts(STATUS) == [b""]
    store.reading.set()
    await settled()
    assert broker.texts(STATUS)[-1] == b""
    before = len(broker.sent)
    mqtt_relay.changed(USER)
    mqtt_relay.device_deleted(OTHER_USER, "d1")  # nobody listens there
    await settled()
    assert len(broker.sent) == before


async def test_documents_of_many_devices_hold_up_nobody(
    parts: Parts, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred devices with a thousand shared feeds held everybody up for 0.4 s, at every change
    of one of the feeds."""
    mqtt_relay, store, broker = parts
    made = 0
    make = listeners.discovery

    def counted(*about: Any) -> Any:
        nonlocal made
        made += 1
        return make(*about)

    monkeypatch.setattr(listeners, "discovery", counted)
    many = [some_device(num=n, id=f"{n}", code=f"d{n}") for n in range(1, 101)]

    async def devices(user_id: str, limit: int, after: int) -> list[Any]:
        await trio.lowlevel.checkpoint()
        return [device for device in many if device.num > after][:limit]

    monkeypatch.setattr(store, "devices", devices)
    store.who[USER] = listening(home_assistant=True)
    nursery.start_soon(mqtt_relay.run)
    most = seen = 0
    while made < len(many):
        await trio.lowlevel.checkpoint()
        most, seen = max(most, made - seen), made
    assert most <= 2
    await settled()
    assert sum("homeassistant" in topic for topic, _, _ in broker.sent) == len(many)


async def test_a_document_that_is_not_whole_is_logged_once(
    parts: Parts, nursery: trio.Nursery
) -> None:
    mqtt_relay, store, broker = parts
    store.feeds_of = [some_feed(f"k{n}", n, name="\x01" * 200) for n in range(1, 1_000)]
    with structlog.testing.capture_logs() as logs:
        await begin(parts, nursery, home_assistant=True)
        for n in range(3):
            store.feeds_of[0] = msgspec.structs.replace(store.feeds_of[0], name=f"{n}")
            mqtt_relay.changed(USER)
            await settled()
    assert len(broker.texts(DOCUMENT)) == 3
    logged = [each for each in logs if each["event"] == "document without all feeds"]
    assert [each["device"] for each in logged] == [DEVICE]
    assert 0 < logged[0]["left_out"] < 1_000

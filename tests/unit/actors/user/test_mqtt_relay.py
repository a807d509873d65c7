"""What is published again: to whom, where, in which form, and never older after newer."""

import json

import msgspec
import trio
import trio.testing

from tests.unit.actors.user.relay_scene import (
    DOCUMENT,
    STATUS,
    Parts,
    begin,
    listening,
    settled,
    state,
    value,
)
from tests.unit.makers import OTHER_USER, USER


async def test_only_users_with_a_listener_get_anything(parts: Parts, nursery: trio.Nursery) -> None:
    mqtt_relay, store, broker = parts
    await begin(parts, nursery)
    mqtt_relay.tell(OTHER_USER, "d1", value())
    mqtt_relay.tell(USER, "d1", value())
    mqtt_relay.tell(USER, "d1", state(1))
    await settled()
    (reading, status) = broker.sent
    assert reading[0] == f"live/{USER}/devices/d1/feeds/t"
    assert json.loads(reading[1]) == {"value": 1.5, "ts": "2026-09-21T14:13:20.000000Z"}
    assert (reading[2], status[0], status[2]) == (False, STATUS, True)
    del store.who[USER]
    mqtt_relay.changed(USER)
    await settled()
    # Nothing stays retained without a listener.
    assert broker.sent[2:] == [(STATUS, b"", True), (DOCUMENT, b"", True)]
    mqtt_relay.tell(USER, "d1", value())
    mqtt_relay.tell(USER, "d1", state(2))
    await settled()
    assert len(broker.sent) == 4


async def test_a_new_listener_finds_every_state_and_none_that_is_old(
    parts: Parts, nursery: trio.Nursery
) -> None:
    mqtt_relay, store, broker = parts
    nursery.start_soon(mqtt_relay.run)
    await settled()
    store.who[USER] = listening()
    mqtt_relay.changed(USER)
    await settled()
    assert [(topic, retain) for topic, _, retain in broker.sent] == [(STATUS, True)]
    # It is read, and while the answer travels the device reports something newer.
    broker.sent.clear()
    store.reading = trio.Event()
    mqtt_relay.changed(USER)
    await settled()
    mqtt_relay.tell(USER, "d1", state(5, temperature=40.0))
    store.reading.set()
    await settled()
    # The newer state is not written yet when something else changes.
    mqtt_relay.changed(USER)
    await settled()
    assert [json.loads(p)["temperature"] for _, p, _ in broker.sent] == [40.0]


async def test_what_the_broker_did_not_take_is_published_later_and_only_the_newest(
    parts: Parts, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    mqtt_relay, _, broker = parts
    await begin(parts, nursery)
    broker.away = True
    for version in (1, 2, 3):
        mqtt_relay.tell(USER, "d1", state(version, temperature=float(version)))
        await trio.sleep(0.5)
    assert broker.sent == []
    broker.away = False
    await trio.sleep(5)
    mqtt_relay.tell(USER, "d1", state(3, temperature=3.0))  # a dashboard asked for it
    await trio.sleep(5)
    assert [json.loads(text)["temperature"] for text in broker.texts(STATUS)] == [3.0]


async def test_what_was_published_during_a_login_is_repeated(
    parts: Parts, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    mqtt_relay, store, broker = parts
    await begin(parts, nursery, home_assistant=True)
    await trio.sleep(10)
    broker.sent.clear()
    mqtt_relay.arrived(USER)
    await trio.sleep(10)
    assert broker.sent == []  # all was published long before
    mqtt_relay.arrived(USER)
    await trio.sleep(1)
    mqtt_relay.arrived(USER)
    store.device = state(1, temperature=7.0).device
    mqtt_relay.tell(USER, "d1", state(1, temperature=7.0))
    await trio.sleep(10)
    temperatures = [json.loads(text)["temperature"] for text in broker.texts(STATUS)]
    assert temperatures == [7.0, 7.0, 7.0]  # at once, and after each of the two logins
    assert broker.texts(DOCUMENT) == []
    # What was retained shortly before may not be found yet, either.
    broker.sent.clear()
    mqtt_relay.tell(USER, "d1", state(2, temperature=8.0))
    await trio.sleep(0.5)
    mqtt_relay.arrived(USER)
    await trio.sleep(10)
    assert len(broker.texts(STATUS)) == 2
    # The broker brought it already to whoever was there, and answers late.
    broker.sent.clear()
    broker.after_s = 5.0
    mqtt_relay.arrived(USER)
    mqtt_relay.tell(USER, "d1", state(3, temperature=9.0))
    await trio.sleep(20)
    assert len(broker.texts(STATUS)) == 2
    # A client can miss a clearing as well.
    broker.sent.clear()
    mqtt_relay.arrived(USER)
    store.is_deleted = True
    mqtt_relay.device_deleted(USER, "d1")
    await trio.sleep(30)
    assert broker.texts(STATUS) == [b"", b""]


async def test_what_is_republished_is_repeated_to_those_who_logged_in_just_before(
    parts: Parts, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """Another process noted the login, and has ended since."""
    _, _, broker = parts
    await begin(parts, nursery)
    await trio.sleep(1.5)
    assert broker.sent == []  # not before everybody has subscribed
    await trio.sleep(1.5)
    assert len(broker.texts(STATUS)) == 1
    await trio.sleep(60)
    assert len(broker.texts(STATUS)) == 1


async def test_a_new_device_under_an_old_code_is_published(
    parts: Parts, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    mqtt_relay, store, broker = parts
    await begin(parts, nursery)
    mqtt_relay.tell(USER, "d1", state(100))
    store.device = msgspec.structs.replace(store.device, num=store.device.num + 1, name="new")
    mqtt_relay.changed(USER)
    await trio.sleep(1)
    assert json.loads(broker.texts(STATUS)[-1])["name"] == "new"

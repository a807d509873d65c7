"""What is published again: to whom, where, in which form, and never older after newer."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
import structlog
import trio
import trio.testing

from actors.adapters.memory.clocks import ManualClock
from actors.ports.broker import Publication
from actors.user import mqtt_relay as relay_module
from actors.user.mqtt_relay import MqttRelay
from protocol.device import listeners
from protocol.device.listeners import Listener
from protocol.errors import Unavailable
from protocol.events import DeviceChanged, FeedValue
from protocol.records import DeviceState, Feed, SessionMemory
from tests.unit.makers import DEVICE, NOW, OTHER_USER, USER, some_device, some_feed


class Broker:
    """Takes what is published; at QoS 1 unless it is `away`, and it answers `after_s`."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bool]] = []
        self.away = False
        self.after_s = 0.0

    def publish_nowait(self, topic: str, payload: bytes) -> bool:
        self.sent.append((topic, payload, False))
        return True

    async def publish(self, messages: Sequence[Publication]) -> list[bool]:
        await trio.lowlevel.checkpoint()
        if self.away:
            return [False] * len(messages)
        self.sent += [(m.topic, m.payload, m.retain) for m in messages]
        if self.after_s:
            await trio.sleep(self.after_s)
        return [True] * len(messages)

    def texts(self, topic: str) -> list[bytes]:
        return [payload for to, payload, _ in self.sent if to == topic]


class Store:
    """A device with a feed, and who listens."""

    def __init__(self) -> None:
        self.leads = self.is_sure = True
        self.away = False
        self.is_deleted = False
        self.who: dict[str, Listener] = {}
        self.device = some_device()
        self.feeds_of = [some_feed("t", unit="°C"), some_feed("shared", 2, device_id=None)]
        self.reading: trio.Event | None = None
        self.reported_late: list[str] = []

    async def session_memory(self, session: str) -> SessionMemory:
        await trio.lowlevel.checkpoint()
        return SessionMemory()

    async def listeners(self) -> list[Listener]:
        await trio.lowlevel.checkpoint()
        return list(self.who.values())

    async def wait_may_serve(self) -> None:
        while not (self.leads and self.is_sure):
            await trio.sleep(0.1)

    async def listener(self, user_id: str) -> Listener | None:
        await trio.lowlevel.checkpoint()
        if self.away:
            raise Unavailable("away")
        return self.who.get(user_id)

    async def say_again(self, user_id: str) -> None:
        if self.away:
            await trio.lowlevel.checkpoint()
            raise Unavailable("away")
        self.reported_late.append(user_id)
        await trio.sleep(0.1)  # its answer travels

    async def devices(self, user_id: str, limit: int, after: int) -> list[Any]:
        found = [self.device] if after < self.device.num and not self.is_deleted else []
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
def parts() -> tuple[MqttRelay, Store, Broker]:
    store, broker = Store(), Broker()
    mqtt_relay = MqttRelay(
        store,  # type: ignore[arg-type]
        broker,  # type: ignore[arg-type]
        ManualClock(),
        "1.2",
        leads=lambda: store.leads,
        may_serve=lambda: store.leads and store.is_sure,
        wait_may_serve=store.wait_may_serve,
        written=trio.lowlevel.checkpoint,
    )
    return mqtt_relay, store, broker


def value(number: float = 1.5) -> FeedValue:
    return FeedValue("f", "t", DEVICE, number, NOW)


def state(version: int, **changes: Any) -> DeviceChanged:
    changed = DeviceState(version=version, status="online", **changes)
    return DeviceChanged(some_device(state=changed))


Parts = tuple[MqttRelay, Store, Broker]


STATUS = f"live/{USER}/devices/d1/status"
DOCUMENT = f"live/{USER}/homeassistant/device/d1/config"


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def begin(parts: Parts, nursery: trio.Nursery, *, home_assistant: bool = False) -> None:
    """There is a listener, and all that was there has been published."""
    mqtt_relay, store, broker = parts
    store.who[USER] = listening(home_assistant=home_assistant)
    nursery.start_soon(mqtt_relay.run)
    await settled()
    assert broker.texts(STATUS)
    broker.sent.clear()


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


async def test_all_is_republished_when_the_broker_is_back_or_the_lead_is_taken(
    parts: Parts, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    mqtt_relay, store, broker = parts
    store.who[USER] = listening(home_assistant=True)
    store.leads = False
    nursery.start_soon(mqtt_relay.run)
    mqtt_relay.tell(USER, "d1", state(1))
    mqtt_relay.changed(USER)
    await trio.sleep(10)
    assert broker.sent == []  # another process publishes it
    for _ in range(2):
        store.leads = True
        mqtt_relay.republish()
        await trio.sleep(1)
        assert {topic for topic, _, _ in broker.sent} == {STATUS, DOCUMENT}
        broker.sent.clear()


async def test_what_another_leader_may_have_published_is_not_overwritten(
    parts: Parts, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    mqtt_relay, store, broker = parts
    await begin(parts, nursery)
    broker.away = True
    mqtt_relay.tell(USER, "d1", state(1, temperature=1.0))
    await trio.sleep(1)
    store.leads = broker.away = False
    await trio.sleep(5)
    assert broker.sent == []
    # It leads again; meanwhile the device was deleted, and nobody notified this process.
    store.leads = store.is_deleted = True
    mqtt_relay.republish()
    await trio.sleep(1)
    assert broker.texts(STATUS) == [b""]


async def test_while_the_lease_may_have_run_out_readings_go_out_and_states_wait(
    parts: Parts, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """A reading is not retained, so nobody's newer one is hidden by it; a state would stay."""
    mqtt_relay, store, broker = parts
    await begin(parts, nursery)
    store.is_sure = False
    mqtt_relay.tell(USER, "d1", value(7.0))
    mqtt_relay.tell(USER, "d1", state(1, temperature=7.0))
    await trio.sleep(5)
    assert [retained for _, _, retained in broker.sent] == [False]
    store.is_sure = True
    mqtt_relay.republish()
    await trio.sleep(1)
    assert broker.texts(STATUS)


async def test_what_the_broker_took_after_the_lead_was_lost_is_reported_to_the_leader(
    parts: Parts, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """A process that stood still overwrote, from its socket, the state that its successor had
    published: nobody knew, and listeners kept the old one (seed 688)."""
    mqtt_relay, store, broker = parts
    await begin(parts, nursery)
    broker.after_s = 5.0
    mqtt_relay.tell(USER, "d1", state(1, temperature=1.0))
    await trio.sleep(1)
    assert broker.texts(STATUS)
    store.leads, store.away = False, True
    await trio.sleep(10)
    assert store.reported_late == []
    store.away = False
    await trio.sleep(5)
    assert store.reported_late == [USER]


async def test_a_standby_does_nothing_about_changes(
    parts: Parts, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """The store notified the leader together with the change."""
    mqtt_relay, store, broker = parts
    store.leads = False
    nursery.start_soon(mqtt_relay.run)
    await trio.sleep(1)
    mqtt_relay.changed(USER)
    mqtt_relay.overwritten(USER)
    await trio.sleep(1)
    assert (store.reported_late, broker.sent) == ([], [])


async def test_the_leader_republishes_what_was_overwritten(
    parts: Parts, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    mqtt_relay, _, broker = parts
    await begin(parts, nursery, home_assistant=True)
    mqtt_relay.changed(USER)
    await trio.sleep(1)
    assert broker.sent == []
    mqtt_relay.overwritten(USER)
    await trio.sleep(1)
    assert {topic for topic, _, _ in broker.sent} == {STATUS, DOCUMENT}


async def test_users_to_be_looked_at_are_bounded(
    parts: Parts,
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any role of a shared database can notify us of users, also of unknown ones."""
    monkeypatch.setattr(relay_module, "DIRTY_MAX", 5)
    mqtt_relay, store, broker = parts
    await begin(parts, nursery)
    store.away = True
    for n in range(100):
        mqtt_relay.changed(f"nobody-{n}")
    assert len(mqtt_relay._dirty) <= 5
    store.away = False
    mqtt_relay.changed(USER)
    await trio.sleep(5)
    assert {topic for topic, _, _ in broker.sent} == {STATUS}  # all listeners were looked at


async def test_a_store_that_is_away_is_asked_again(
    parts: Parts, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    mqtt_relay, store, broker = parts
    nursery.start_soon(mqtt_relay.run)
    await trio.sleep(1)
    store.who[USER] = listening()
    store.away = True
    mqtt_relay.changed(USER)
    await trio.sleep(5)
    store.away = False
    await trio.sleep(5)
    assert len(broker.texts(STATUS)) == 1


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

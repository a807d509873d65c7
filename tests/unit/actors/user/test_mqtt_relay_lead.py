"""Only the process that leads publishes what is retained, and makes up for what others did."""

import pytest
import trio
import trio.testing

from actors.user import mqtt_relay as relay_module
from tests.unit.actors.user.relay_scene import (
    DOCUMENT,
    STATUS,
    Parts,
    begin,
    listening,
    state,
    value,
)
from tests.unit.makers import USER


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

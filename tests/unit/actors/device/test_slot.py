"""A slot: the device's actor while it exists, and settings in the order of their reading."""

from actors.device.slot import DeviceSlot
from protocol.messages import (
    Configured,
    LeaseEnded,
    LeaseExpired,
)
from protocol.records import DeviceState, LoadedDevice
from tests.unit.actors.device.effects import Outcome
from tests.unit.makers import NOW, loaded, sent, some_device, some_feed


def test_new_settings_hold_from_the_message_on_and_event_time_stays() -> None:
    slot = DeviceSlot(loaded(some_feed(max_value=10.0)))
    slot.step(sent('{"value": 5, "ts": 1790000000}'), NOW)
    done: list[bool] = []
    changed = loaded(some_feed(max_value=100.0))
    slot.step(Configured(loaded=changed, read=1, done=lambda: done.append(True)), NOW)
    assert done == [True]
    outcome = Outcome(slot.step(sent('{"value": 50, "ts": 1789999999}'), NOW))
    assert [r.value for r in outcome.unit.readings] == [50.0]
    assert outcome.values == []


def test_settings_that_were_read_before_the_actor_was_built_change_nothing() -> None:
    """They waited in the mailbox of an actor that failed; a deletion among them removed the device
    that was created since."""
    slot = DeviceSlot(loaded(some_feed(max_value=10.0)), read=7)
    done: list[bool] = []
    slot.step(Configured(loaded=None, read=6, done=lambda: done.append(True)), NOW)
    assert done == [True]
    assert [r.value for r in Outcome(slot.step(sent("5"), NOW)).unit.readings] == [5.0]


def test_a_slot_has_an_actor_from_the_creation_of_its_device_to_its_deletion() -> None:
    slot = DeviceSlot(None)
    unknown = Outcome(slot.step(sent("5"), NOW))
    assert (unknown.unit.unowned, unknown.unit.rejections) == (1, ())
    slot.step(Configured(loaded=loaded(), read=1, done=lambda: None), NOW)
    assert len(Outcome(slot.step(sent("5"), NOW)).unit.readings) == 1
    slot.step(Configured(loaded=None, read=2, done=lambda: None), NOW)
    assert Outcome(slot.step(sent("5"), NOW)).unit.unowned == 1


def test_the_lease_of_a_device_that_another_process_deleted_ends() -> None:
    """It was asked for again and again, and its actor started each time."""
    key = some_device().key
    assert DeviceSlot(None).step(LeaseExpired(key=key, after_s=300), NOW) == [LeaseEnded(key=key)]


def test_a_new_device_under_an_old_code_inherits_nothing() -> None:
    slot = DeviceSlot(loaded(state=DeviceState(session=500, status="offline")))
    new = LoadedDevice(device=some_device(num=2), feeds=())
    slot.step(Configured(loaded=new, read=1, done=lambda: None), NOW)
    outcome = Outcome(slot.step(sent('{"status": "online", "session": 1}', "status"), NOW))
    assert outcome.devices[-1].state.session == 1


def test_a_message_of_many_readings_that_is_set_aside_counts_them_all() -> None:
    outcome = Outcome(
        DeviceSlot(loaded()).set_aside(sent('{"t": 1, "u": 2}', "feeds"), "ValueError: x")
    )
    assert sum(r.readings for r in outcome.unit.rejections) == 2


def test_settings_that_kill_are_given_up_without_a_refusal() -> None:
    done: list[bool] = []
    message = Configured(loaded=loaded(), read=1, done=lambda: done.append(True))
    assert DeviceSlot(loaded()).set_aside(message, "ValueError: x") == []
    assert done == [True]

"""When values and silences raise alarms: each rule by itself, through the device actor."""

from typing import Any

import msgspec
import pytest

from actors.device.actor import DeviceActor
from actors.device.slot import DeviceSlot
from protocol.device.alarms import Alarm, AlarmRule
from protocol.events import AlarmChanged
from protocol.messages import (
    AlarmDue,
    ArmAlarm,
    CameOnline,
    Configured,
    LeaseEnded,
    LeaseExpired,
    LeaseRenewed,
    LeaseResized,
    Live,
)
from protocol.records import DeviceState, WriteUnit
from tests.unit.makers import NOW, SECOND, loaded, sent, some_alarm, some_feed

ONLINE = DeviceState(version=5, status="online", last_seen_us=NOW)


def actor(*, state: DeviceState | None = None, **rule: Any) -> DeviceActor:
    feed = some_feed(max_value=10.0, on_violation="flag", alarm=AlarmRule(**rule))
    return DeviceActor(loaded(feed, state=state))


def hear(device: DeviceActor, value: float, at_s: float) -> list[Any]:
    message = sent(str(value), at_us=NOW + round(at_s * SECOND))
    return list(device.step(message, NOW + round(at_s * SECOND)))


def alarms(effects: list[Any]) -> list[Alarm]:
    return [alarm for unit in effects if isinstance(unit, WriteUnit) for alarm in unit.alarms]


def states(effects: list[Any]) -> list[str]:
    return [alarm.state for alarm in alarms(effects)]


def shown(effects: list[Any]) -> list[str]:
    events = [e.event for e in effects if isinstance(e, Live)]
    return [event.alarm.state for event in events if isinstance(event, AlarmChanged)]


def test_an_alarm_is_raised_and_cleared_at_once_and_shown() -> None:
    device = actor(severity="critical")
    raised = hear(device, 11, 0)
    assert (states(raised), shown(raised)) == (["active"], ["active"])
    (alarm,) = alarms(raised)
    assert (alarm.severity, alarm.raised_us, alarm.value) == ("critical", NOW, 11.0)
    cleared = hear(device, 9, 1)
    assert (states(cleared), shown(cleared)) == (["cleared"], ["cleared"])
    assert alarms(cleared)[0].id == alarm.id


def test_an_alarm_after_n_in_a_row_counts_again_after_a_value_inside() -> None:
    device = actor(after_count=3)
    found = [states(hear(device, value, n)) for n, value in enumerate((11, 11, 9, 11, 11, 11, 11))]
    assert found == [
        ["pending"],
        ["pending"],
        ["dropped"],
        ["pending"],
        ["pending"],
        ["active"],
        [],
    ]


def test_a_pending_alarm_is_not_shown_and_survives_its_actor() -> None:
    device = actor(after_count=2)
    first = hear(device, 11, 0)
    assert shown(first) == []
    feed = some_feed(max_value=10.0, on_violation="flag", alarm=AlarmRule(after_count=2))
    again = loaded(feed, raised=None)
    again = msgspec.structs.replace(again, alarms=tuple(alarms(first)))
    assert states(hear(DeviceActor(again), 11, 1)) == ["active"]


def test_an_alarm_after_a_duration_is_raised_by_the_value_that_ends_it() -> None:
    device = actor(after_s=60)
    first = hear(device, 11, 0)
    (wait,) = [e for e in first if isinstance(e, ArmAlarm)]
    assert (wait.feed_num, wait.since_us, wait.for_s) == (1, NOW, 60.0)
    assert states(hear(device, 12, 59)) == []
    raised = hear(device, 13, 60)
    assert states(raised) == ["active"]
    assert [e.for_s for e in raised if isinstance(e, ArmAlarm)] == [None]


def test_an_alarm_after_a_duration_is_raised_by_time_alone() -> None:
    device = actor(after_s=60)
    hear(device, 11, 0)
    raised = list(device.step(AlarmDue(feed_num=1, since_us=NOW), NOW + 61 * SECOND))
    assert (states(raised), shown(raised)) == (["active"], ["active"])
    assert alarms(raised)[0].raised_us == NOW + 60 * SECOND
    assert list(device.step(AlarmDue(feed_num=1, since_us=NOW), NOW + 62 * SECOND)) == []


def test_a_late_value_of_the_wait_takes_back_what_time_alone_raised() -> None:
    """The last value was inside, and the alarm stayed open until the next one (seed 778)."""
    device = actor(after_s=60)
    hear(device, 11, 0)
    (raised,) = alarms(list(device.step(AlarmDue(feed_num=1, since_us=NOW), NOW + 61 * SECOND)))
    rule = AlarmRule(after_s=60)
    feed = some_feed(max_value=10.0, on_violation="flag", alarm=rule, last_value=11.0, last_us=NOW)
    again = msgspec.structs.replace(loaded(feed), alarms=(raised,))
    for each in (device, DeviceActor(again)):
        (cleared,) = alarms(hear(each, 9, 30))
        assert (cleared.state, cleared.cleared_us) == ("cleared", NOW + 60 * SECOND)


def test_a_value_inside_calls_off_the_wait() -> None:
    device = actor(after_s=60)
    hear(device, 11, 0)
    inside = hear(device, 9, 30)
    assert states(inside) == ["dropped"]
    assert [e.for_s for e in inside if isinstance(e, ArmAlarm)] == [None]
    assert list(device.step(AlarmDue(feed_num=1, since_us=NOW), NOW + 61 * SECOND)) == []


def test_an_open_alarm_clears_only_by_its_hysteresis() -> None:
    device = actor(hysteresis=2.0)
    found = [states(hear(device, value, n)) for n, value in enumerate((11, 9.5, 8.1, 8.0))]
    assert found == [["active"], [], [], ["cleared"]]


def test_a_late_value_neither_raises_nor_counts_nor_clears() -> None:
    device = actor(after_count=2)
    hear(device, 11, 0)
    assert states(hear(device, 9, -1)) == []
    assert states(hear(device, 11, -1)) == []
    assert states(hear(device, 11, 1)) == ["active"]


def test_the_same_alarm_has_the_same_id_however_often_it_is_judged() -> None:
    first, second = (alarms(hear(actor(), 11, 0))[0] for _ in range(2))
    assert first.id == second.id
    assert first.id != alarms(hear(actor(), 11, 1))[0].id


@pytest.mark.parametrize("change", [{"enabled": False}, {"max_value": None}])
def test_settings_that_watch_no_more_end_the_alarm(change: dict[str, Any]) -> None:
    feed = some_feed(max_value=10.0)
    slot = DeviceSlot(loaded(feed, raised={1: NOW}))
    changed = loaded(msgspec.structs.replace(feed, **change))
    effects = list(slot.step(Configured(loaded=changed, read=1, done=lambda: None), NOW + SECOND))
    assert states(effects) == ["cleared"]


# Presence


def expire(device: DeviceActor, at_s: float = 300, after_s: int = 300) -> list[Any]:
    return list(
        device.step(
            LeaseExpired(key=device.device.key, after_s=after_s), NOW + round(at_s * SECOND)
        )
    )


def test_a_silent_device_is_offline_with_an_alarm_until_its_next_message() -> None:
    device = actor(state=ONLINE)
    expired = expire(device)
    assert (device.device.state.status, states(expired), shown(expired)) == (
        "offline",
        ["active"],
        ["active"],
    )
    assert [e.key for e in expired if isinstance(e, LeaseEnded)] == [device.device.key]
    (unit,) = [e for e in expired if isinstance(e, WriteUnit)]
    assert (unit.messages, unit.receipt) == (0, None)
    back = hear(device, 1, 400)
    assert (device.device.state.status, states(back)) == ("online", ["cleared"])
    assert [e.device_num for e in back if isinstance(e, CameOnline)] == [1]
    assert [e.after_s for e in back if isinstance(e, LeaseRenewed)] == [300]


def test_a_lease_of_another_length_is_only_put_right() -> None:
    device = actor(state=ONLINE)
    assert expire(device, after_s=60) == [LeaseResized(key=device.device.key, after_s=300)]
    assert device.device.state.status == "online"


def test_a_device_that_is_offline_already_has_no_lease() -> None:
    device = actor(state=DeviceState(version=5, status="offline", last_seen_us=NOW))
    assert expire(device) == [LeaseEnded(key=device.device.key)]


def test_new_settings_resize_the_lease_of_a_device_that_is_online() -> None:
    def resized(status: str) -> list[int]:
        device = actor(state=DeviceState(version=5, status=status, last_seen_us=NOW))
        changed = loaded()
        changed = msgspec.structs.replace(
            changed, device=msgspec.structs.replace(changed.device, offline_after_s=60)
        )
        effects = device.step(Configured(loaded=changed, read=1, done=lambda: None), NOW)
        return [e.after_s for e in effects if isinstance(e, LeaseResized)]

    assert (resized("online"), resized("offline")) == ([60], [])


def test_a_device_that_says_it_is_offline_has_no_lease() -> None:
    device = actor(state=ONLINE)
    effects = device.step(sent('{"status": "offline"}', "status", at_us=NOW + SECOND), NOW)
    assert [type(e) for e in effects if isinstance(e, LeaseEnded | LeaseRenewed)] == [LeaseEnded]


@pytest.mark.parametrize("status", ["online", "offline"])
def test_a_message_that_is_set_aside_shows_a_living_device(status: str) -> None:
    """It turned online without a lease, and stayed so however long it was silent."""
    device = actor(state=DeviceState(version=5, status=status, last_seen_us=NOW))
    effects = device.set_aside(sent("1", at_us=NOW + SECOND), "ValueError: x")
    assert device.device.state.status == "online"
    assert [e.after_s for e in effects if isinstance(e, LeaseRenewed)] == [300]


def test_every_first_delivery_renews_the_lease_and_nothing_else_does() -> None:
    def renewed(message: Any) -> bool:
        device = actor(state=ONLINE)
        effects = device.step(message, NOW + SECOND)
        return any(isinstance(e, LeaseRenewed) for e in effects)

    assert renewed(sent("1"))
    assert renewed(sent("no number"))
    assert renewed(sent('{"temperature": 1}', "status"))
    assert renewed(sent('{"status": "delivered"}', "commands/c/ack"))
    assert not renewed(sent("1", again=True))
    assert not renewed(sent("1", retained=True))
    assert not renewed(sent('{"status": "online"}', "status", retained=True))


@pytest.mark.parametrize("how", [{"again": True}, {"retained": True}])
@pytest.mark.parametrize("ts", ["", ', "ts": 1790000100'])
def test_neither_a_redelivery_nor_a_retained_status_revives_the_dead(
    how: dict[str, bool], ts: str
) -> None:
    device = actor(state=ONLINE)
    expire(device)
    message = sent('{"status": "online"' + ts + "}", "status", at_us=NOW + 400 * SECOND, **how)
    device.step(message, 0)
    assert device.device.state.status == "offline"


def test_an_offline_alarm_that_was_open_before_a_restart_is_cleared_by_the_next_message() -> None:
    state = DeviceState(version=5, status="offline", last_seen_us=NOW)
    known = some_alarm(1, feed_num=None, feed_id=None, kind="offline")
    device = DeviceActor(msgspec.structs.replace(loaded(state=state), alarms=(known,)))
    assert [(a.id, a.state) for a in alarms(hear(device, 1, 5))] == [(known.id, "cleared")]


def test_a_device_may_do_without_the_alarm() -> None:
    quiet = loaded(state=ONLINE)
    quiet = msgspec.structs.replace(
        quiet, device=msgspec.structs.replace(quiet.device, offline_alarm=False)
    )
    device = DeviceActor(quiet)
    assert states(expire(device)) == []
    assert device.device.state.status == "offline"

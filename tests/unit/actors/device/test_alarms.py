"""When values and silences raise alarms: each rule by itself, through the device actor."""

from typing import Any

import msgspec
import pytest

from actors.device.actor import DeviceActor
from actors.device.slot import DeviceSlot
from protocol.device.alarms import AlarmRule
from protocol.messages import (
    AlarmDue,
    ArmAlarm,
    Configured,
)
from tests.unit.actors.device.effects import actor, alarms, hear, shown, states
from tests.unit.makers import NOW, SECOND, loaded, some_feed


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

"""The alarm of a device that the broker disconnects in a loop."""

import msgspec
import pytest

from actors.device import connection_loop
from actors.device.actor import DeviceActor
from actors.device.alarms import of_device
from actors.device.connection_loop import QUIET_US, ConnectionEnds
from protocol.device.alarms import LOOP
from protocol.messages import ConnectionsEnd
from protocol.problems.detail import Detail
from protocol.records import WriteUnit
from tests.unit.actors.device.effects import step
from tests.unit.makers import NOW, SECOND, loaded, sent

SPACE = Detail("ended_space")


def alarms(actor: DeviceActor, message: object, at_us: int) -> list[tuple[str, str]]:
    effects = actor.step(message, at_us)  # type: ignore[arg-type]
    units = [each for each in effects if isinstance(each, WriteUnit)]
    return [(alarm.kind, alarm.state) for unit in units for alarm in unit.alarms]


def test_it_is_raised_once_and_clears_when_the_device_has_come_to_rest() -> None:
    actor = DeviceActor(loaded())
    end = ConnectionsEnd(at_us=NOW, detail=SPACE)
    assert alarms(actor, end, NOW) == [("loop", "active")]
    assert alarms(actor, ConnectionsEnd(at_us=NOW + SECOND, detail=SPACE), NOW) == []
    soon, later = NOW + QUIET_US, NOW + QUIET_US + SECOND
    assert step(actor, sent("5", at_us=soon)).unit.alarms == ()  # between two ends
    after = step(actor, sent("5", at_us=later + 10 * SECOND)).unit.alarms
    assert [(alarm.kind, alarm.state) for alarm in after] == [("loop", "cleared")]
    again = ConnectionsEnd(at_us=later + 60 * SECOND, detail=SPACE)
    assert alarms(actor, again, NOW) == [("loop", "active")]


def test_the_last_end_of_each_device_outlives_its_actor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The quiet time of a device that sends seldom began again with each new actor, for ever."""
    monkeypatch.setattr(connection_loop, "DEVICES_MAX", 2)
    ends = ConnectionEnds(NOW)
    shed, barn, mill = ("u", "shed"), ("u", "barn"), ("u", "mill")
    ends.ended(shed, NOW + SECOND)
    assert (ends.last_us(shed), ends.last_us(barn)) == (NOW + SECOND, NOW)
    raised = of_device(loaded().device, LOOP, "x", NOW, NOW, Detail("loop_space"))
    known = msgspec.structs.replace(loaded(), alarms=(raised,))
    seldom = sent("5", at_us=NOW + SECOND + QUIET_US)
    (cleared,) = step(DeviceActor(known, ends.last_us(shed)), seldom).unit.alarms
    assert cleared.state == "cleared"
    too_soon = sent("5", at_us=NOW + QUIET_US)
    assert step(DeviceActor(known, ends.last_us(shed)), too_soon).unit.alarms == ()
    for key in (barn, mill):
        ends.ended(key, NOW + 2 * SECOND)
    assert ends.last_us(shed) == NOW  # forgotten


def test_after_a_restart_it_stays_until_the_device_was_quiet_for_long() -> None:
    """The first message cleared it, and the third end raised another: two webhooks a restart."""
    (raised,) = [
        alarm
        for unit in DeviceActor(loaded()).step(ConnectionsEnd(at_us=NOW, detail=SPACE), NOW)
        if isinstance(unit, WriteUnit)
        for alarm in unit.alarms
    ]
    actor = DeviceActor(msgspec.structs.replace(loaded(), alarms=(raised,)))
    later = NOW + 3600 * SECOND
    assert step(actor, sent("5", at_us=later)).unit.alarms == ()
    (cleared,) = step(actor, sent("5", at_us=later + QUIET_US)).unit.alarms
    assert cleared.state == "cleared"

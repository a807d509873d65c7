"""The alarm of a device that the broker disconnects in a loop."""

import msgspec

from actors.device.actor import DeviceActor
from actors.device.connection_loop import QUIET_US
from protocol.messages import ConnectionsEnd
from protocol.records import WriteUnit
from tests.unit.actors.device.effects import step
from tests.unit.makers import NOW, SECOND, loaded, sent


def alarms(actor: DeviceActor, message: object, at_us: int) -> list[tuple[str, str]]:
    effects = actor.step(message, at_us)  # type: ignore[arg-type]
    units = [each for each in effects if isinstance(each, WriteUnit)]
    return [(alarm.kind, alarm.state) for unit in units for alarm in unit.alarms]


def test_it_is_raised_once_and_clears_when_the_device_has_come_to_rest() -> None:
    actor = DeviceActor(loaded())
    end = ConnectionsEnd(at_us=NOW, detail="a space")
    assert alarms(actor, end, NOW) == [("loop", "active")]
    assert alarms(actor, ConnectionsEnd(at_us=NOW + SECOND, detail="a space"), NOW) == []
    soon, later = NOW + QUIET_US, NOW + QUIET_US + SECOND
    assert step(actor, sent("5", at_us=soon)).unit.alarms == ()  # between two ends
    after = step(actor, sent("5", at_us=later + 10 * SECOND)).unit.alarms
    assert [(alarm.kind, alarm.state) for alarm in after] == [("loop", "cleared")]
    again = ConnectionsEnd(at_us=later + 60 * SECOND, detail="a space")
    assert alarms(actor, again, NOW) == [("loop", "active")]


def test_after_a_restart_it_stays_until_the_device_was_quiet_for_long() -> None:
    """The first message cleared it, and the third end raised another: two webhooks a restart."""
    (raised,) = [
        alarm
        for unit in DeviceActor(loaded()).step(ConnectionsEnd(at_us=NOW, detail="a space"), NOW)
        if isinstance(unit, WriteUnit)
        for alarm in unit.alarms
    ]
    actor = DeviceActor(msgspec.structs.replace(loaded(), alarms=(raised,)))
    later = NOW + 3600 * SECOND
    assert step(actor, sent("5", at_us=later)).unit.alarms == ()
    (cleared,) = step(actor, sent("5", at_us=later + QUIET_US)).unit.alarms
    assert cleared.state == "cleared"

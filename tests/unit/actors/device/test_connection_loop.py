"""The alarm of a device that the broker disconnects in a loop."""

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

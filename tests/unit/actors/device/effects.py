"""What steps of a device actor ask for, sorted."""

from typing import Any

from actors.device.actor import DeviceActor
from protocol import codec
from protocol.device.alarms import Alarm, AlarmRule
from protocol.events import AlarmChanged, DeviceChanged, FeedValue
from protocol.messages import (
    FromDevice,
    Live,
    Notice,
)
from protocol.records import DeviceState, WriteUnit
from tests.unit.makers import NOW, SECOND, loaded, sent, some_feed


class Outcome:
    """What a step asked for, sorted."""

    def __init__(self, effects: list[Any]) -> None:
        (self.unit,) = [e for e in effects if isinstance(e, WriteUnit)]
        events = [e.event for e in effects if isinstance(e, Live)]
        self.values = [e for e in events if isinstance(e, FeedValue)]
        self.devices = [e.device for e in events if isinstance(e, DeviceChanged)]
        self.notices = [codec.decode(e.body) for e in effects if isinstance(e, Notice)]
        self.reasons = [r.reason for r in self.unit.rejections]


def step(actor: DeviceActor, message: FromDevice) -> Outcome:
    return Outcome(actor.step(message, message.origin.at_us))


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

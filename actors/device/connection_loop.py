"""The alarm of a device whose connections the broker ends again and again.

It clears with the first message that arrives five minutes after the last end: a device in a loop
sends other messages between two ends, too.
"""

from collections import OrderedDict

import msgspec

from actors.device.alarms import of_device
from protocol.device.alarms import CLEARED, LOOP, Alarm
from protocol.problems.detail import Detail
from protocol.records import Device, LoadedDevice
from protocol.times import SECOND_US

# Why the broker ended a connection, and the same of connections in a loop.
LOOPS = {
    "ended_space": "loop_space",
    "ended_wildcard": "loop_wildcard",
    "ended_too_large": "loop_too_large",
    "ended_malformed": "loop_malformed",
}
QUIET_US = 300 * SECOND_US
# Of whom the last end is known: some 200 bytes each.
DEVICES_MAX = 10_000


class ConnectionEnds:
    """When the broker last ended each device's connection. It outlives the devices' actors, which
    end when they are idle. Nothing is known about the time before `now_us`, the process's start."""

    def __init__(self, now_us: int) -> None:
        self._since_us = now_us
        self._at_us: OrderedDict[tuple[str, str], int] = OrderedDict()

    def ended(self, device: tuple[str, str], at_us: int) -> None:
        self._at_us[device] = at_us
        self._at_us.move_to_end(device)
        if len(self._at_us) > DEVICES_MAX:
            self._at_us.popitem(last=False)

    def last_us(self, device: tuple[str, str]) -> int:
        """Since then it was not ended."""
        return self._at_us.get(device, self._since_us)


class ConnectionLoop:
    """Of one device. `last_us`: since when the broker has not ended its connection; None: not
    known, so the quiet time begins with the first message."""

    __slots__ = ("_alarm", "_last_us")

    def __init__(self, loaded: LoadedDevice, last_us: int | None = None) -> None:
        self._alarm = next((alarm for alarm in loaded.alarms if alarm.kind == LOOP), None)
        self._last_us = last_us

    def ended(self, device: Device, at_us: int, detail: Detail) -> Alarm | None:
        """The broker ended one more connection. The alarm, if that raises it."""
        self._last_us = at_us
        if self._alarm is not None:
            return None
        said = Detail(LOOPS[detail.code], **detail.params)
        self._alarm = of_device(device, LOOP, f"{at_us}", at_us, at_us, said)
        return self._alarm

    def heard(self, at_us: int) -> Alarm | None:
        """A message of the device arrived. The alarm, if that clears it."""
        if self._alarm is None:
            return None
        if self._last_us is None:
            self._last_us = at_us
        if at_us - self._last_us < QUIET_US:
            return None
        alarm, self._alarm = self._alarm, None
        return msgspec.structs.replace(alarm, state=CLEARED, cleared_us=at_us)

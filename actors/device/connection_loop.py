"""The alarm of a device whose connections the broker ends again and again.

It clears with the first message that arrives five minutes after the last end: a device in a loop
sends other messages between two ends, too.
"""

import msgspec

from actors.device.alarms import of_device
from protocol.device.alarms import CLEARED, LOOP, Alarm
from protocol.records import Device, LoadedDevice
from protocol.times import SECOND_US

QUIET_US = 300 * SECOND_US


class ConnectionLoop:
    """Of one device. Of an alarm that was raised before this actor existed, the quiet time begins
    with the actor's first message: it does not know what happened meanwhile."""

    __slots__ = ("_alarm", "_last_us")

    def __init__(self, loaded: LoadedDevice) -> None:
        self._alarm = next((alarm for alarm in loaded.alarms if alarm.kind == LOOP), None)
        self._last_us: int | None = None

    def ended(self, device: Device, at_us: int, detail: str) -> Alarm | None:
        """The broker ended one more connection. The alarm, if that raises it."""
        self._last_us = at_us
        if self._alarm is not None:
            return None
        said = f"device disconnected in a loop: {detail}"
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

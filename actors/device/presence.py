"""Whether a device is online: its state, its offline alarm, and its lease.

The device actor has one `Presence`. Every first delivery renews the lease; `offline`, or a lease
that ran out, end it. `actors.device.leases` measures. It reports that a lease ran out only while no
message of the device waits for its actor, so no message can contradict it.

Methods return the state to be written (None: unchanged), and add to the caller's lists the offline
alarm that changed and the effects on the lease.
"""

import msgspec

from actors.device import status
from actors.device.alarms import came_online, went_offline
from actors.device.connection_loop import ConnectionLoop
from protocol.device.alarms import OFFLINE as OFFLINE_ALARM
from protocol.device.alarms import Alarm
from protocol.messages import (
    CameOnline,
    ConnectionsEnd,
    DeviceEffect,
    LeaseEnded,
    LeaseExpired,
    LeaseRenewed,
    LeaseResized,
    StatusReceived,
)
from protocol.problems.detail import Detail
from protocol.records import OFFLINE, Device, DeviceState, LoadedDevice, Origin, StateChange

SAID_OFFLINE = Detail("offline_reported")


class Presence:
    """The presence of one device; `device` has its newest state."""

    __slots__ = ("_loop", "_offline_alarm", "_offline_us", "device")

    def __init__(self, loaded: LoadedDevice, last_end_us: int | None = None) -> None:
        self.device = loaded.device
        self._loop = ConnectionLoop(loaded, last_end_us)
        self._offline_us: int | None = None  # when the newest `offline` arrived
        open_alarms = (alarm for alarm in loaded.alarms if alarm.kind == OFFLINE_ALARM)
        self._offline_alarm = next(open_alarms, None)

    def configure(self, device: Device) -> None:
        """Take new settings. The state stays: the one that was read may be older, because writes
        may still be in flight."""
        self.device = msgspec.structs.replace(device, state=self.device.state)

    @property
    def is_offline(self) -> bool:
        return self.device.state.status == OFFLINE

    def seen(
        self, origin: Origin, alarms: list[Alarm], effects: list[DeviceEffect]
    ) -> StateChange | None:
        """The device sent a message. Only a first delivery shows that it is alive."""
        if origin.again or origin.retained:
            return None
        state = status.seen(self.device.state, origin.at_us, self._offline_us)
        change = self._take(state, origin.at_us, SAID_OFFLINE, alarms, effects)
        self._renew(effects)
        return change

    def reported(
        self, message: StatusReceived, alarms: list[Alarm], effects: list[DeviceEffect]
    ) -> StateChange | None:
        """The device reported its status."""
        origin, report = message.origin, message.report
        ts_us = report.ts_us
        state = self.device.state
        if origin.retained:
            state = status.retained(state, report, ts_us)
        elif not origin.again:
            event_us = origin.at_us if ts_us is None else ts_us
            is_of_now = not status.is_of_earlier_boot(state, report)
            state = status.applied(state, report, event_us, origin.at_us, self._offline_us)
            if report.status == OFFLINE and is_of_now:
                self._offline_us = origin.at_us
        elif ts_us is not None:  # else its time is unknown, and it sets nothing
            state = status.redelivered(state, report, ts_us)
        change = self._take(state, origin.at_us, SAID_OFFLINE, alarms, effects)
        if not (origin.again or origin.retained or report.status == OFFLINE):
            self._renew(effects)
        return change

    def expired(
        self, message: LeaseExpired, now_us: int, alarms: list[Alarm], effects: list[DeviceEffect]
    ) -> StateChange | None:
        """The lease ran out: the device is offline from now on."""
        if self.is_offline:
            effects.append(LeaseEnded(key=self.device.key))
            return None
        after_s = self.device.offline_after_s
        if message.after_s != after_s:  # the setting changed while no actor existed
            effects.append(LeaseResized(key=self.device.key, after_s=after_s))
            return None
        state = msgspec.structs.replace(self.device.state, status=OFFLINE)
        why = Detail("offline_silent", seconds=after_s)
        return self._take(state, now_us, why, alarms, effects)

    def ended(self, message: ConnectionsEnd) -> list[Alarm]:
        """The broker ends the device's connections in a loop."""
        raised = self._loop.ended(self.device, message.at_us, message.detail)
        return [] if raised is None else [raised]

    def resize_lease(self) -> list[DeviceEffect]:
        """After new settings, which may have changed the length of the lease."""
        if self.is_offline:
            return []
        return [LeaseResized(key=self.device.key, after_s=self.device.offline_after_s)]

    def renewed_lease(self) -> list[DeviceEffect]:
        """Start the lease again: the step that should have judged its end failed."""
        effects: list[DeviceEffect] = []
        self._renew(effects)
        return effects

    def _renew(self, effects: list[DeviceEffect]) -> None:
        device = self.device
        if device.state.status != OFFLINE:
            effects.append(LeaseRenewed(key=device.key, after_s=device.offline_after_s))

    def _take(
        self,
        state: DeviceState,
        at_us: int,
        why: Detail,
        alarms: list[Alarm],
        effects: list[DeviceEffect],
    ) -> StateChange | None:
        device, before = self.device, self.device.state
        if state is before:
            return None
        state = msgspec.structs.replace(state, version=before.version + 1)
        self.device = device = msgspec.structs.replace(device, state=state)
        if state.status != OFFLINE:
            if (cleared := self._loop.heard(at_us)) is not None:
                alarms.append(cleared)
            if before.status == OFFLINE:
                effects.append(CameOnline(device_num=device.num))
            if self._offline_alarm is not None:
                alarms.append(came_online(self._offline_alarm, at_us))
                self._offline_alarm = None
        elif before.status != OFFLINE:
            effects.append(LeaseEnded(key=device.key))
            if device.offline_alarm:
                self._offline_alarm = went_offline(device, at_us, why)
                alarms.append(self._offline_alarm)
        return StateChange(device.num, state)

"""Leases on presence, and waiting times of alarms, on the clocks of
`actors.ingest.partition_clock`.

A device that is online has a lease. Each of its messages renews it, in O(1). When it runs out, the
device's actor is told, and shows the device offline. The heap is touched only when a lease is
checked, so a hundred thousand of them cost nothing until they run out, and O(log n) then. Leases
are kept here and not in the actors, because a passivated device can still become silent.
"""

from collections.abc import Callable, Iterable
from functools import partial

import msgspec
import structlog

from actors.ingest.partition_clock import ROUNDING_S, PartitionClock, PartitionClocks
from actors.runtime.isolation import Failed, attempt_now
from actors.runtime.timer import DueTimes
from protocol.messages import AlarmDue, LeaseExpired, TimerMessage
from protocol.records import Device
from protocol.times import SECOND_US

log = structlog.get_logger("roost.leases")

DeviceKey = tuple[str, str]
Look = tuple[str, str, int | None]  # a device and, for a wait, its feed

# `last_seen` is written every ten seconds at most (`actors.device.presence`).
SEEN_STEP_S = 10.0
# One turn of the timer: telling as many actors takes some milliseconds.
TURN_MAX = 500
# An actor that cannot be told now has waiting messages, or no room.
RETRY_S = 1.0


class _Lease(msgspec.Struct):
    clock: PartitionClock
    renewed_s: float  # by the partition's clock
    after_s: float


class Leases:
    """All leases and waits of the devices that this process serves.

    Args:
        send: sends a message to the device's actor, starting it if needed. Returns False if it
            cannot be sent now; for `LeaseExpired` also while other messages wait for the actor.
        arm: schedules a call of `tick` for a partition in so many seconds; None cancels it.
    """

    def __init__(
        self,
        flows: PartitionClocks,
        send: Callable[[DeviceKey, TimerMessage], bool],
        arm: Callable[[int, float | None], None],
    ) -> None:
        self.expired = 0
        self._flows = flows
        self._send = send
        self._arm = arm
        self._leases: dict[DeviceKey, _Lease] = {}
        # Since when (µs) the feed's values violate its thresholds.
        self._waits: dict[Look, int] = {}
        self._due = [DueTimes[Look]() for _ in flows.clocks]

    def __len__(self) -> int:
        return len(self._leases)

    def renew(self, key: DeviceKey, after_s: float) -> None:
        """The device is alive: its lease starts again now."""
        lease = self._leases.get(key)
        if lease is None:
            self._add(key, after_s, 0.0)
            return
        is_shorter = after_s < lease.after_s
        lease.renewed_s, lease.after_s = lease.clock.now_s(), after_s
        if is_shorter:
            self._set((*key, None), lease.renewed_s + after_s)
        # Otherwise the heap has an earlier entry for it, which is moved when it is checked.

    def resize(self, key: DeviceKey, after_s: float) -> None:
        """Change the length of the device's lease, if it has one; it counts since the last
        renewal."""
        lease = self._leases.get(key)
        if lease is not None:
            lease.after_s = after_s
            self._set((*key, None), lease.renewed_s + after_s)

    def end(self, key: DeviceKey) -> None:
        """The device is offline, or deleted."""
        if self._leases.pop(key, None) is not None:
            self._due[self._flows.partition_of(key)].cancel((*key, None))

    def wait(self, key: DeviceKey, feed_num: int, since_us: int, for_s: float | None) -> None:
        """Send `AlarmDue` in `for_s` seconds. None: do not send it any more."""
        look = (*key, feed_num)
        partition = self._flows.partition_of(key)
        if for_s is None:
            self._waits.pop(look, None)
            self._due[partition].cancel(look)
        else:
            self._waits[look] = since_us
            self._set(look, self._flows.clocks[partition].now_s() + for_s)

    def clear(self) -> None:
        """Forget everything: another process has led."""
        self._leases.clear()
        self._waits.clear()
        self._due = [DueTimes[Look]() for _ in self._flows.clocks]

    def restore(self, devices: Iterable[Device]) -> None:
        """Give leases to the devices that are online in the store; a lease that was renewed since
        stays.

        The store does not know until when the service ran. The newest `last_seen` of all devices is
        used instead. A device that was silent before that time is still silent.
        """
        found = list(devices)
        seen = [d.state.last_seen_us for d in found if d.state.last_seen_us is not None]
        awake_us = max(seen, default=0)
        for device in found:
            seen_us = device.state.last_seen_us
            silent_s = 0.0 if seen_us is None else (awake_us - seen_us) / SECOND_US - SEEN_STEP_S
            if device.key not in self._leases:
                after_s = device.offline_after_s
                self._add(device.key, after_s, min(max(0.0, silent_s), after_s))

    def tick(self, partition: int) -> None:
        """Check what is due, and tell the actors."""
        clock, due = self._flows.clocks[partition], self._due[partition]
        if clock.is_flowing:
            now_s = clock.now_s() + ROUNDING_S
            for look in due.pop(now_s, TURN_MAX):
                done = attempt_now(partial(self._look, look, now_s))
                if isinstance(done, Failed):
                    log.warning("lease not checked", device=look[1], error=repr(done.error))
                    self._set(look, now_s + RETRY_S)
        self.arm(partition)

    def _look(self, look: Look, now_s: float) -> None:
        user_id, code, feed_num = look
        if feed_num is None:
            self._look_at_lease((user_id, code), now_s)
        else:
            self._end_wait((user_id, code), feed_num, now_s)

    def arm(self, partition: int) -> None:
        """Schedule the next check, if the clock runs."""
        clock, first = self._flows.clocks[partition], self._due[partition].first
        if first is None or not clock.is_flowing:
            self._arm(partition, None)
        else:
            self._arm(partition, max(0.0, first - clock.now_s()))

    def _look_at_lease(self, key: DeviceKey, now_s: float) -> None:
        lease = self._leases[key]
        due_s = lease.renewed_s + lease.after_s
        if due_s <= now_s:
            if self._send(key, LeaseExpired(key=key, after_s=round(lease.after_s))):
                self.expired += 1
                # The lease stays until the actor ends or renews it: a message that was lost with a
                # failed actor is sent again.
                due_s = now_s + max(lease.after_s, RETRY_S)
            else:
                due_s = now_s + RETRY_S
        self._set((*key, None), due_s)

    def _end_wait(self, key: DeviceKey, feed_num: int, now_s: float) -> None:
        look = (*key, feed_num)
        if self._send(key, AlarmDue(feed_num=feed_num, since_us=self._waits[look])):
            del self._waits[look]
        else:
            self._set(look, now_s + RETRY_S)

    def _add(self, key: DeviceKey, after_s: float, silent_s: float) -> None:
        clock = self._flows.clocks[self._flows.partition_of(key)]
        renewed_s = clock.now_s() - silent_s
        self._leases[key] = _Lease(clock, renewed_s, after_s)
        self._set((*key, None), renewed_s + after_s)

    def _set(self, look: Look, due_s: float) -> None:
        partition = self._flows.partition_of((look[0], look[1]))
        due = self._due[partition]
        first = due.first
        due.set(look, due_s)
        if first is None or due_s < first:
            self.arm(partition)

"""Leases on presence, and other waits for silence, in the time of `actors.ingest.partition_clock`.

A device that is online has a lease: every word of it makes it run anew, in O(1); when it runs out
the device's actor is asked to show it offline. The heap is touched only when a lease comes up for a
look.
So a hundred thousand of them cost nothing until they end, and O(log n) then. They live here, not in
the actors: a passivated device can still fall silent.
"""

from collections.abc import Callable, Iterable
from functools import partial

import msgspec
import structlog

from actors.ingest.partition_clock import ROUNDING_S, PartitionClock, PartitionClocks
from actors.runtime.isolation import Failed, attempt_now
from actors.runtime.timer import DueTimes
from protocol.messages import OfTime, OutsideSince, Silent
from protocol.records import Device
from protocol.times import SECOND_US

log = structlog.get_logger("roost.leases")

DeviceKey = tuple[str, str]
Look = tuple[str, str, int | None]  # a device and, for a wait, its feed

# `last_seen` is written every ten seconds at most (`actors.device.presence`).
SEEN_STEP_S = 10.0
# One turn of the timer: asking as many actors takes some milliseconds.
TURN_MAX = 500
# When an actor has no room for the question it is busy, and so is its device.
ASK_AGAIN_S = 1.0


class _Lease(msgspec.Struct):
    clock: PartitionClock
    heard_s: float  # by that clock
    after_s: float
    word: int


class Leases:
    """All leases and waits of the devices that this process hears.

    Args:
        ask: hands a message to the device's actor, starting it where needed; False: no room.
        arm: asks to be called (`tick`) for a partition in so many seconds; None: not any more.
    """

    def __init__(
        self,
        flows: PartitionClocks,
        ask: Callable[[DeviceKey, OfTime], bool],
        arm: Callable[[int, float | None], None],
    ) -> None:
        self.expired = 0
        self._flows = flows
        self._ask = ask
        self._arm = arm
        self._leases: dict[DeviceKey, _Lease] = {}
        self._waits: dict[Look, int] = {}  # since when (µs) the feed's values are outside
        self._due = [DueTimes[Look]() for _ in flows.clocks]

    def __len__(self) -> int:
        return len(self._leases)

    def alive(self, key: DeviceKey, after_s: float, word: int, *, anew: bool = True) -> None:
        """The device spoke (`anew`), or only the length of its lease changed."""
        lease = self._leases.get(key)
        if lease is None:
            if anew:
                self._add(key, after_s, word, 0.0)
            return
        shorter = after_s < lease.after_s
        lease.after_s = after_s
        if anew:
            lease.heard_s, lease.word = lease.clock.now_s(), word
        if shorter or not anew:
            self._set((*key, None), lease.heard_s + after_s)
        # Otherwise the heap has an earlier look at it: then it is put where it belongs.

    def change(self, key: DeviceKey, after_s: float) -> None:
        """Its length was changed over REST."""
        self.alive(key, after_s, 0, anew=False)

    def dead(self, key: DeviceKey) -> None:
        """It is offline, or is no more."""
        if self._leases.pop(key, None) is not None:
            self._due[self._flows.partition_of(key)].cancel((*key, None))

    def wait(self, key: DeviceKey, feed_num: int, since_us: int, for_s: float | None) -> None:
        """Say `OutsideSince` in so many seconds; None: do not say it any more."""
        look = (*key, feed_num)
        partition = self._flows.partition_of(key)
        if for_s is None:
            self._waits.pop(look, None)
            self._due[partition].cancel(look)
        else:
            self._waits[look] = since_us
            self._set(look, self._flows.clocks[partition].now_s() + for_s)

    def clear(self) -> None:
        """Whatever is known is old."""
        self._leases.clear()
        self._waits.clear()
        self._due = [DueTimes[Look]() for _ in self._flows.clocks]

    def restore(self, devices: Iterable[Device]) -> None:
        """After a start: the devices that the store shows online. Who spoke since has a lease.

        Nobody wrote down until when the service was awake; the newest word of any device is the
        best that is known, and what was silent before that goes on being silent.
        """
        found = list(devices)
        seen = [d.state.last_seen_us for d in found if d.state.last_seen_us is not None]
        awake_us = max(seen, default=0)
        for device in found:
            seen_us = device.state.last_seen_us
            silent_s = 0.0 if seen_us is None else (awake_us - seen_us) / SECOND_US - SEEN_STEP_S
            if device.key not in self._leases:
                after_s = device.offline_after_s
                self._add(device.key, after_s, 0, min(max(0.0, silent_s), after_s))

    def tick(self, partition: int) -> None:
        """Look at what is due, and ask the actors of those that are silent."""
        clock, due = self._flows.clocks[partition], self._due[partition]
        if clock.is_flowing:
            now_s = clock.now_s() + ROUNDING_S
            for look in due.pop(now_s, TURN_MAX):
                done = attempt_now(partial(self._look, look, now_s))
                if isinstance(done, Failed):
                    log.warning("lease not looked at", device=look[1], error=repr(done.error))
                    self._set(look, now_s + ASK_AGAIN_S)
        self.arm(partition)

    def _look(self, look: Look, now_s: float) -> None:
        user_id, code, feed_num = look
        if feed_num is None:
            self._look_at_lease((user_id, code), now_s)
        else:
            self._end_wait((user_id, code), feed_num, now_s)

    def arm(self, partition: int) -> None:
        """Ask for the next look, as far as the clock goes."""
        clock, first = self._flows.clocks[partition], self._due[partition].first
        if first is None or not clock.is_flowing:
            self._arm(partition, None)
        else:
            self._arm(partition, max(0.0, first - clock.now_s()))

    def _look_at_lease(self, key: DeviceKey, now_s: float) -> None:
        lease = self._leases[key]
        due_s = lease.heard_s + lease.after_s
        if due_s <= now_s:
            # It stays until its actor says otherwise; should the question be lost with a failed
            # actor, it is asked again.
            due_s = now_s + max(lease.after_s, ASK_AGAIN_S)
            if self._ask(key, Silent(word=lease.word, after_s=round(lease.after_s))):
                self.expired += 1
            else:
                due_s = now_s + ASK_AGAIN_S
        self._set((*key, None), due_s)

    def _end_wait(self, key: DeviceKey, feed_num: int, now_s: float) -> None:
        look = (*key, feed_num)
        if self._ask(key, OutsideSince(feed_num=feed_num, since_us=self._waits[look])):
            del self._waits[look]
        else:
            self._set(look, now_s + ASK_AGAIN_S)

    def _add(self, key: DeviceKey, after_s: float, word: int, silent_s: float) -> None:
        clock = self._flows.clocks[self._flows.partition_of(key)]
        heard_s = clock.now_s() - silent_s
        self._leases[key] = _Lease(clock, heard_s, after_s, word)
        self._set((*key, None), heard_s + after_s)

    def _set(self, look: Look, due_s: float) -> None:
        partition = self._flows.partition_of((look[0], look[1]))
        due = self._due[partition]
        first = due.first
        due.set(look, due_s)
        if first is None or due_s < first:
            self.arm(partition)

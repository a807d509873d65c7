"""Does what devices say reach us? A clock for each partition that stands still while it may not.

Silence counts only while we would have heard: a partition flows when its sessions are connected,
have room, and have had the time to bring what waited for us at the broker. So no outage of ours
makes a device silent.
"""

from collections.abc import Callable, Sequence

import trio

from actors.ports.broker import SessionPlan
from protocol.device.topics import partition

# After a connection, or after messages were left for want of room: NATS sends again what is
# unacknowledged 5 s after it did so last (`ack_wait`), everything else follows within a second.
DRAIN_S = 7.0
# So full a window means that the broker may have more for us than it sends.
SATURATED = 0.9

# The timer counts on another clock than a partition does, and sums of seconds are rounded: what is
# due but for less than that is due, or it would ring again and again at one moment.
ROUNDING_S = 1e-7


class PartitionClock:
    """Seconds during which the partition flowed."""

    def __init__(self) -> None:
        self._passed_s = 0.0
        self._since_s: float | None = None

    @property
    def is_flowing(self) -> bool:
        return self._since_s is not None

    def now_s(self) -> float:
        running_s = 0.0 if self._since_s is None else trio.current_time() - self._since_s
        return self._passed_s + running_s

    def flow(self) -> None:
        if self._since_s is None:
            self._since_s = trio.current_time()

    def stand(self) -> None:
        self._passed_s, self._since_s = self.now_s(), None


class _Session:
    __slots__ = ("is_connected", "is_full", "quiet_s", "window")

    def __init__(self, window: int) -> None:
        self.window = max(1, round(window * SATURATED))
        self.is_connected = False
        self.is_full = False
        self.quiet_s = 0.0  # from when on it has brought what waited


class PartitionClocks:
    """The clocks, by partition. Sessions are told of by the gateway.

    Args:
        changed: told of a partition whose clock begins or ceases to go.
        later: asks to be told (`look`) of a partition after so many seconds.
    """

    def __init__(
        self,
        plans: Sequence[SessionPlan],
        changed: Callable[[int], None],
        later: Callable[[int, float], None],
    ) -> None:
        kept = [plan for plan in plans if plan.partition is not None]
        self.partitions = max((plan.partition or 0 for plan in kept), default=0) + 1
        self.clocks = [PartitionClock() for _ in range(self.partitions)]
        self._changed = changed
        self._later = later
        self._sessions = {plan.client_id: _Session(plan.window) for plan in kept}
        self._partition_of = {plan.client_id: plan.partition or 0 for plan in kept}
        self._of = [
            [self._sessions[p.client_id] for p in kept if p.partition == k]
            for k in range(self.partitions)
        ]

    def partition_of(self, device: tuple[str, str]) -> int:
        """Which clock a device's silence is measured by."""
        return 0 if self.partitions == 1 else partition(*device, self.partitions)

    def connected(self, name: str) -> None:
        self._disturbed(name, is_connected=True)

    def disconnected(self, name: str) -> None:
        self._disturbed(name, is_connected=False)

    def left(self, name: str) -> None:
        """A message was left with the broker; it comes again."""
        self._disturbed(name)

    def loaded(self, name: str, in_flight: int) -> None:
        """So many messages of the session are not acknowledged. Called for every one of them."""
        session = self._sessions.get(name)
        if session is not None and session.is_full != (in_flight >= session.window):
            session.is_full = not session.is_full
            self.look(self._partition_of[name])

    def look(self, partition: int) -> None:
        """Let the clock go or stand, as its sessions are now."""
        clock, now_s = self.clocks[partition], trio.current_time()
        sessions = self._of[partition]
        able = all(s.is_connected and not s.is_full for s in sessions)
        flows = able and all(s.quiet_s <= now_s + ROUNDING_S for s in sessions)
        if able and not flows:
            self._later(partition, max(s.quiet_s for s in sessions) - now_s)
        if flows == clock.is_flowing:
            return
        if flows:
            clock.flow()
        else:
            clock.stand()
        self._changed(partition)

    def _disturbed(self, name: str, is_connected: bool | None = None) -> None:
        session = self._sessions.get(name)
        if session is None:
            return
        if is_connected is not None:
            session.is_connected, session.is_full = is_connected, False
        session.quiet_s = trio.current_time() + DRAIN_S
        self.look(self._partition_of[name])

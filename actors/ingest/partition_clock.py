"""A clock for each partition, which stands still while devices' messages may not reach us.

Silence counts only while we would have received messages. A partition flows when its sessions are
connected, have room, and have had the time to deliver what waited at the broker. So an outage of
Roost never makes a device offline.
"""

from collections.abc import Callable, Sequence

import trio

from actors.ports.broker import SessionPlan
from protocol.device.topics import partition

# After a connection, or after messages were left because there was no room: NATS sends
# unacknowledged messages again 5 s after the last time (`ack_wait`); everything else follows within
# a second.
DRAIN_S = 7.0
# With a window this full, the broker may have more for us than it sends.
SATURATED = 0.9

# The timer uses another clock than a partition, and sums of seconds are rounded. What is due except
# for less than this is due; otherwise it would ring again and again at the same time.
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
        self.quiet_s = 0.0  # from when on it has delivered what waited


class PartitionClocks:
    """The clocks, by partition. The gateway reports the state of sessions.

    Args:
        changed: called with a partition whose clock starts or stops.
        later: schedules a call of `look` for a partition after a number of seconds.
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
        """The number of the clock that measures a device's silence."""
        return 0 if self.partitions == 1 else partition(*device, self.partitions)

    def connected(self, name: str) -> None:
        self._disturbed(name, is_connected=True)

    def disconnected(self, name: str) -> None:
        self._disturbed(name, is_connected=False)

    def left(self, name: str) -> None:
        """A message was left with the broker; it will be delivered again."""
        self._disturbed(name)

    def loaded(self, name: str, in_flight: int) -> None:
        """How many messages of the session are not acknowledged. Called for each message."""
        session = self._sessions.get(name)
        if session is not None and session.is_full != (in_flight >= session.window):
            session.is_full = not session.is_full
            self.look(self._partition_of[name])

    def look(self, partition: int) -> None:
        """Let the clock run or stop, as its sessions are now."""
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

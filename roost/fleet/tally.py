"""Counts what a virtual fleet has done so far."""

import statistics
from collections import deque

import trio

LATENCIES_MAX = 20_000  # the newest
RATE_OVER_S = 5.0
MARKS_MAX = 100


class Tally:
    """Counts of one fleet; its devices write them.

    Attributes:
        connected: devices that are connected now.
        sent: readings that were published with QoS 1, or wait for a connection.
        acknowledged: those that the broker acknowledged.
        skipped: missed reports, because ten readings were unacknowledged.
        commands: how many were executed.
        trouble: why a device last had no connection.
    """

    def __init__(self) -> None:
        self.connected = 0
        self.sent = 0
        self.acknowledged = 0
        self.skipped = 0
        self.commands = 0
        self.trouble = ""
        self._latencies_s: deque[float] = deque(maxlen=LATENCIES_MAX)
        self._marks: deque[tuple[float, int]] = deque([(trio.current_time(), 0)], maxlen=MARKS_MAX)

    def acknowledge(self, after_s: float) -> None:
        self.acknowledged += 1
        self._latencies_s.append(after_s)

    def rate(self) -> float:
        """Acknowledged readings a second, since `RATE_OVER_S` ago or since the last call before."""
        now_s = trio.current_time()
        while len(self._marks) > 1 and self._marks[1][0] <= now_s - RATE_OVER_S:
            self._marks.popleft()
        then_s, before = self._marks[0]
        self._marks.append((now_s, self.acknowledged))
        return (self.acknowledged - before) / max(now_s - then_s, 1e-9)

    def latency(self) -> str:
        """From publish to acknowledgement, of the newest: `median 3.1 ms, p99 8.0 ms`."""
        if len(self._latencies_s) < 2:
            return "none timed"
        cuts = statistics.quantiles(self._latencies_s, n=100)
        return f"median {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms"

    def line(self, devices: int) -> str:
        """One line of progress."""
        parts = [
            f"{self.connected:,} of {devices:,} devices connected",
            f"{self.sent:,} sent",
            f"{self.acknowledged:,} acknowledged",
            f"{self.rate():,.1f}/s",
        ]
        if self.skipped:
            parts.append(f"{self.skipped:,} skipped: too many were unanswered")
        if self.connected == devices:
            self.trouble = ""
        elif self.trouble:
            parts.append(self.trouble)
        return "  ".join(parts)

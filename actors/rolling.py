"""When readings are summed up for charts: soon after they come, and never for long.

What the store needs for it decides how often: a house with few readings sees them in its charts
within seconds; a busy one spends a twentieth of one connection's time.
"""

import trio

from actors.ports import Store, WallClock
from protocol.times import SECOND_US

SOON_S = 2.0
REST = 20.0  # times as long as it took
COMMITS_MAX = 1_000
BUSY_S = 10.0


class Rolling:
    """The work of a job (`actors.jobs`)."""

    def __init__(self, store: Store, clock: WallClock) -> None:
        self.took_s = 0.0
        self._store = store
        self._clock = clock
        self._not_before_s = float("-inf")

    def wanted_us(self) -> int:
        """When it should be done, after readings were committed just now."""
        rest_s = self._not_before_s - trio.current_time()
        return self._clock.now_us() + round(max(SOON_S, rest_s) * SECOND_US)

    async def work(self) -> int | None:
        began_s = trio.current_time()
        left = await self._store.roll_up(COMMITS_MAX)
        ended_s = trio.current_time()
        self.took_s += ended_s - began_s
        self._not_before_s = ended_s + REST * (ended_s - began_s)
        if left is None:  # another process does
            return self._clock.now_us() + round(BUSY_S * SECOND_US)
        return self.wanted_us() if left else None

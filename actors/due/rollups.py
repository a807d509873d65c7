"""When readings are summed up for charts: soon after they arrive, and never for long.

How often depends on how long the store takes: a service with few readings has them summed up within
seconds; a busy one spends a twentieth of one connection's time. If that is not enough, because more
is left after each turn, it spends up to half of it.
"""

import trio

from actors.ports.store import Store
from actors.runtime.clock import WallClock
from protocol.times import SECOND_US

SOON_S = 2.0
REST = 20.0  # times as long as the work took
REST_MIN = 1.0  # the same while the backlog grows
# And never longer, because a turn may have waited for a connection or a database that hung. With
# turns of `TURN_S` both bounds are equal.
REST_MAX_S = 10.0
COMMITS_MAX = 1_000
# The next turn is half as large when a turn took longer or failed, and twice as large when it took
# less than a quarter. So it ends within the store's deadline, whatever those commits contain.
TURN_S = REST_MAX_S / REST
BUSY_S = 10.0


class Rollups:
    """The work of a job (`actors.runtime.jobs`).

    Attributes:
        took_s: seconds of work so far.
        left: about how many commits were not summed up yet when the last turn ended.
    """

    def __init__(self, store: Store, clock: WallClock) -> None:
        self.took_s = 0.0
        self.left = 0
        self._rest = REST
        self._store = store
        self._clock = clock
        self._commits = COMMITS_MAX
        self._not_before_s = float("-inf")

    def wanted_us(self) -> int:
        """When the next run should be, after readings were committed just now."""
        rest_s = self._not_before_s - trio.current_time()
        return self._clock.now_us() + round(max(SOON_S, rest_s) * SECOND_US)

    async def work(self) -> int | None:
        began_s = trio.current_time()
        commits, self._commits = self._commits, max(1, self._commits // 2)
        left = await self._store.roll_up(commits)
        ended_s = trio.current_time()
        self._ended(commits, ended_s - began_s)
        if left is not None:
            self._adapt(left, commits)
        self._not_before_s = ended_s + min(REST_MAX_S, self._rest * (ended_s - began_s))
        if left is None:  # another process is summing up
            return self._clock.now_us() + round(BUSY_S * SECOND_US)
        return self.wanted_us() if left else None

    def _adapt(self, left: int, commits: int) -> None:
        """Rest half as long while more is left than before, though a turn did what it could; and
        twice as long once there is no backlog."""
        if left > max(self.left, commits):
            self._rest = max(REST_MIN, self._rest / 2)
        elif left <= commits:
            self._rest = min(REST, self._rest * 2)
        self.left = left

    def _ended(self, commits: int, took_s: float) -> None:
        self.took_s += took_s
        if took_s <= TURN_S:
            self._commits = min(COMMITS_MAX, commits * 2) if took_s < TURN_S / 4 else commits

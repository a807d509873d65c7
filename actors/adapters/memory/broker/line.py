"""A connection on virtual time: the twin of TCP between two parts of a simulated world.

    line = Line(latency)
    line.down(partial(inbox.deliver, delivery))     # happens `latency()` seconds later, in order
    line.cut()                                      # everything in flight is lost
    await line.carry(next_s, tick)                  # one task delivers, until the line is cut

Without latency it happens at once, inside the call: an undisturbed line costs no task switch.
"""

from collections import deque
from collections.abc import Callable

import trio

Act = Callable[[], None]


def no_latency() -> float:
    return 0.0


class Line:
    """Both directions, in order. Nothing that is in flight when the line is cut arrives."""

    def __init__(self, latency: Callable[[], float] = no_latency) -> None:
        self._latency = latency
        self._down: deque[tuple[float, Act]] = deque()
        self._up: deque[tuple[float, Act]] = deque()
        self._pongs: deque[tuple[float, Act]] = deque()
        self._stalled_until_s = float("-inf")
        self._open = True
        self._changed = trio.Event()
        self._when_cut: list[Act] = []

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def is_stalled(self) -> bool:
        return trio.current_time() < self._stalled_until_s

    @property
    def on_the_way(self) -> int:
        return len(self._down) + len(self._up)

    def down(self, act: Act) -> None:
        """From the server to the client."""
        self._put(self._down, act)

    def up(self, act: Act) -> None:
        """From the client to the server."""
        self._put(self._up, act)

    def pong(self, act: Act, after_s: float) -> None:
        """The answer to a ping, which overtakes what is handled slowly."""
        self._pongs.append((trio.current_time() + after_s, act))
        self.wake()

    def _put(self, lane: deque[tuple[float, Act]], act: Act) -> None:
        if not self._open:
            return None
        now_s = trio.current_time()
        due_s = max(now_s + self._latency(), self._stalled_until_s)
        if lane:
            due_s = max(due_s, lane[-1][0])
        elif due_s <= now_s:
            return act()
        lane.append((due_s, act))
        return self.wake()

    def when_cut(self, act: Act) -> None:
        """Be told when it ends; a bounded number of waiters, one for each message in flight."""
        self._when_cut.append(act)

    def forget(self, act: Act) -> None:
        self._when_cut.remove(act)

    def stall(self, seconds: float) -> None:
        """Nothing moves for a while in either direction; then everything arrives."""
        self._stalled_until_s = trio.current_time() + seconds
        for lane in (self._down, self._up, self._pongs):
            for n, (due_s, act) in enumerate(lane):
                lane[n] = (max(due_s, self._stalled_until_s), act)

    def wake(self) -> None:
        """Somebody changed what is due next."""
        self._changed.set()

    def cut(self, survivors: int = 0) -> None:
        """End it. The first `survivors` messages on their way up still arrive at the server."""
        if not self._open:
            return
        for _ in range(min(survivors, len(self._up))):
            self._up.popleft()[1]()
        self._open = False
        for act in self._when_cut:
            act()
        self.wake()

    async def carry(self, next_s: Callable[[], float], tick: Act) -> None:
        """Deliver what is due, and call `tick` whenever `next_s` is reached."""
        while self._open:
            self._changed = trio.Event()
            for lane in (self._up, self._down, self._pongs):
                while self._open and lane and lane[0][0] <= trio.current_time():
                    lane.popleft()[1]()
            if self._open:
                tick()
            due_s = [lane[0][0] for lane in (self._up, self._down, self._pongs) if lane]
            if self._open:
                with trio.move_on_at(min([next_s(), *due_s])):
                    await self._changed.wait()

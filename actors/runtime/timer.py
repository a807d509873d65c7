"""The timer: one heap of due times; it sleeps until the first of them.

    timer = Timer(clock, ring)
    timer.at(("job", "commands"), due_us)     # civil time: what the wall clock will say
    timer.after(("lease", 3), 12.5)           # a duration, whatever the wall clock does
    timer.cancel(("lease", 3))

A key has one due time; setting it again replaces it. Each costs O(log n). `ring(key)` is called
once when it is due, and never early. While nothing is due, the timer sleeps.
"""

import heapq
from collections.abc import Callable, Hashable
from itertools import count
from typing import Generic, TypeVar

import trio

from actors.runtime.clock import WallClock
from protocol.times import SECOND_US

# As many rings in one turn as other tasks may wait for: some milliseconds.
TURN_MAX = 1_000
# A cancelled entry stays in the heap until it is due, or until more than half are cancelled.
DEAD_MIN = 1_000

Key = Hashable
K = TypeVar("K", bound=Hashable)


class DueTimes(Generic[K]):
    """A heap of (time, key), with one time per key. Synchronous, without a clock."""

    def __init__(self) -> None:
        self._times: dict[K, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._times)

    def set(self, key: K, due: float) -> None:
        number = next(self._numbers)  # of equal times, the one that was set first is due first
        self._times[key] = due, number
        heapq.heappush(self._heap, (due, number, key))
        if len(self._heap) > 2 * len(self._times) + DEAD_MIN:
            self._heap = [(due, number, key) for key, (due, number) in self._times.items()]
            heapq.heapify(self._heap)

    def cancel(self, key: K) -> None:
        self._times.pop(key, None)

    def due_of(self, key: K) -> float | None:
        known = self._times.get(key)
        return None if known is None else known[0]

    @property
    def first(self) -> float | None:
        """The earliest time, if there is any."""
        self._drop_dead()
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float, most: int) -> list[K]:
        """Up to `most` due keys, the earliest first."""
        found: list[K] = []
        while len(found) < most:
            self._drop_dead()
            if not self._heap or self._heap[0][0] > now:
                break
            key = heapq.heappop(self._heap)[2]
            del self._times[key]
            found.append(key)
        return found

    def _drop_dead(self) -> None:
        heap = self._heap
        while heap and self._times.get(heap[0][2]) != heap[0][:2]:
            heapq.heappop(heap)


class Timer:
    """Civil due times and durations, one sleeper for both.

    Args:
        ring: called with each key when it is due; synchronous.
    """

    def __init__(self, clock: WallClock, ring: Callable[[Key], None]) -> None:
        self.rings = 0
        self._clock = clock
        self._ring = ring
        self._civil = DueTimes[Key]()
        self._steady = DueTimes[Key]()
        self._bell = trio.Event()

    def __len__(self) -> int:
        return len(self._civil) + len(self._steady)

    def at(self, key: Key, due_us: int) -> None:
        """Ring when the wall clock reaches `due_us`."""
        self._steady.cancel(key)
        self._civil.set(key, due_us)
        self._bell.set()

    def after(self, key: Key, seconds: float) -> None:
        """Ring in so many seconds."""
        self._civil.cancel(key)
        self._steady.set(key, trio.current_time() + seconds)
        self._bell.set()

    def cancel(self, key: Key) -> None:
        self._civil.cancel(key)
        self._steady.cancel(key)

    async def run(self) -> None:
        """Ring for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_clock)
            while True:
                self._bell = trio.Event()
                if self._turn():
                    await trio.lowlevel.checkpoint()
                    continue
                with trio.move_on_after(self._sleep_s()):
                    await self._bell.wait()

    async def _watch_clock(self) -> None:
        while True:
            await self._clock.wait_set()
            self._bell.set()

    def _turn(self) -> int:
        keys = self._civil.pop(self._clock.now_us(), TURN_MAX)
        keys += self._steady.pop(trio.current_time(), TURN_MAX)
        self.rings += len(keys)
        for key in keys:
            self._ring(key)
        return len(keys)

    def _sleep_s(self) -> float:
        """Until the next one is due; half a microsecond more, so that rounding never makes it
        early."""
        civil, steady = self._civil.first, self._steady.first
        civil_s = float("inf")
        if civil is not None:
            civil_s = max(0.0, (civil - self._clock.now_us()) / SECOND_US + 5e-7)
        steady_s = float("inf") if steady is None else max(0.0, steady - trio.current_time())
        return min(civil_s, steady_s)

"""Civil time of a simulated world: Trio's virtual time, and how far the wall clock is off."""

import trio

START_US = 1_790_000_000_000_000


class VirtualClock:
    """`offset_s` is what `jump` added up, `furthest_s` the most that it ever was; durations know
    nothing of either."""

    def __init__(self) -> None:
        self.offset_s = 0.0
        self.furthest_s = 0.0
        self._last_us = 0
        self._was_set = trio.Event()

    def now_us(self) -> int:
        """Two looks are never at one microsecond, as on a real machine."""
        now_us = START_US + round((trio.current_time() + self.offset_s) * 1_000_000)
        if 0 <= self._last_us - now_us < 1_000:
            now_us = self._last_us + 1
        self._last_us = now_us
        return now_us

    def peek_us(self) -> int:
        """A look that nobody notices."""
        return START_US + round((trio.current_time() + self.offset_s) * 1_000_000)

    def jump(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self.offset_s += seconds
        self.furthest_s = max(self.furthest_s, self.offset_s)
        was_set, self._was_set = self._was_set, trio.Event()
        was_set.set()

    async def wait_set(self) -> None:
        await self._was_set.wait()

"""The wall clock, as the runtime needs it."""

from typing import Protocol


class WallClock(Protocol):
    """Civil time. It may jump; durations come from `trio.current_time`."""

    def now_us(self) -> int: ...

    async def wait_set(self) -> None:
        """Wait until it was set, or has drifted from `trio.current_time`: what was computed from
        both is no longer valid."""
        ...

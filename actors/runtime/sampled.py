"""Log lines that strangers and devices can cause: logged from time to time, with a count.

if times := self._foreign.times():
    log.warning("message on a foreign topic", topic=topic[:200], times=times)
"""

import trio

EVERY_S = 1.0


class Sampled:
    """Logs once per `every_s` seconds."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._untold = 0
        self._told_s = float("-inf")

    def times(self, more: int = 1) -> int:
        """It happened `more` times. Returns the count since the last log line if one is due now;
        else 0."""
        self._untold += more
        now_s = trio.current_time()
        if not more or now_s < self._told_s + self._every_s:
            return 0
        told, self._untold, self._told_s = self._untold, 0, now_s
        return told

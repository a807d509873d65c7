"""Work that is due at times in the database: claim it, do it, find when the next is due.

    job = Job("commands", timer, work, look_again_s=10)
    nursery.start_soon(job.run)
    job.wake()           # something may be due
    job.due(at_us)       # something will be then

`work` returns when it wants to be called again (µs, civil), or None. Until then the job sleeps. It
also looks from time to time, because another process may have added work and died.
"""

from collections.abc import Awaitable, Callable

import structlog
import trio

from actors.runtime.timer import Timer
from protocol.errors import Unavailable, in_words

log = structlog.get_logger("roost.jobs")

RETRY_S = 1.0
WHY_MAX = 200


class Job:
    """One kind of due work.

    Args:
        look_again_s: how often it looks by itself.
        pace_s: between two starts: work that becomes due meanwhile is claimed together, and others
            have the processor and the database in between.
    """

    def __init__(
        self,
        name: str,
        timer: Timer,
        work: Callable[[], Awaitable[int | None]],
        look_again_s: float,
        pace_s: float = 0.0,
    ) -> None:
        self.name = name
        self.runs = 0
        self._pace_s = pace_s
        self._began_s = float("-inf")
        self._timer = timer
        self._work = work
        self._look_again_s = look_again_s
        self._bell = trio.Event()
        self._is_closed = False
        self.is_working = False
        self.waits_for = ""  # why it could not work, while a server is away
        self._next_us: int | None = None  # when the timer rings, as far as is known

    def wake(self) -> None:
        """Look at once."""
        self._bell.set()

    def close(self) -> None:
        """Start nothing new; the current work is finished."""
        self._is_closed = True
        self._bell.set()

    def due(self, at_us: int) -> None:
        """There is work for that time (µs, civil), committed before this call."""
        if self._next_us is None or at_us < self._next_us:
            self._next_us = at_us
            self._timer.at(("job", self.name), at_us)

    async def run(self) -> None:
        """Work until it is closed. Other failures than an unavailable server go to the supervisor;
        after a restart it looks at once."""
        self._bell.set()
        while True:
            await self._bell.wait()
            await trio.sleep_until(self._began_s + self._pace_s)
            if self._is_closed:
                return
            self._began_s = trio.current_time()
            self._bell = trio.Event()
            self.runs += 1
            # A time that is reported from here on may not be in what the work reads: the earlier
            # one counts.
            self._next_us = None
            self.is_working = True
            try:
                next_us = await self._work()
            except Unavailable as error:
                if not self.waits_for:
                    log.warning("due work waits", job=self.name, error=in_words(error))
                self.waits_for = in_words(error)[:WHY_MAX]
                self._next_us = 0  # no earlier time counts before the next attempt
                self._timer.after(("job", self.name), RETRY_S)
                continue
            finally:
                self.is_working = False
            self.waits_for = ""
            self._timer.after(("look", self.name), self._look_again_s)
            if next_us is not None:
                self.due(next_us)

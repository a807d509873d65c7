"""Retrying: growing pauses, and work that waits for an unavailable server.

pauses = Pauses(first_s=0.05, max_s=2.0, rng=rng)
committed = await until_available(partial(store.commit, batch), pauses, self._waits)
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from protocol.errors import Unavailable

# After a run of this length a failure begins with the first pause again.
STEADY_S = 60.0
DOUBLED_MAX = 20

T = TypeVar("T")


def grown_s(failures: int, first_s: float, max_s: float) -> float:
    """The pause after so many failures in a row (at least one): twice as long each time."""
    doubled = min(failures - 1, DOUBLED_MAX)
    return min(max_s, first_s * 2.0**doubled)


def jittered_s(pause_s: float, rng: random.Random) -> float:
    """Between half of a pause and all of it, so that many do not retry at the same moment."""
    return pause_s * (0.5 + rng.random() / 2)


class Pauses:
    """The pauses of one thing that is retried.

    Args:
        max_s: the longest pause; without it, all are as long as the first.
        rng: for the jitter; without it there is none.
    """

    def __init__(
        self, first_s: float, max_s: float | None = None, rng: random.Random | None = None
    ) -> None:
        self.failures = 0  # in a row
        self._first_s = first_s
        self._max_s = first_s if max_s is None else max_s
        self._rng = rng

    def next_s(self, ran_s: float = 0.0) -> float:
        """The pause after one more failure; `ran_s`: how long the attempt ran before it failed."""
        self.failures = 1 if ran_s >= STEADY_S else self.failures + 1
        pause_s = grown_s(self.failures, self._first_s, self._max_s)
        return pause_s if self._rng is None else jittered_s(pause_s, self._rng)


async def until_available(
    work: Callable[[], Awaitable[T]], pauses: Pauses, waits: Callable[[Unavailable], None]
) -> T:
    """Await it again and again while it raises `Unavailable`; any other error is raised.

    Args:
        waits: called with each failure before the pause, for the log and the counters.
    """
    while True:
        try:
            return await work()
        except Unavailable as error:
            waits(error)
        await trio.sleep(pauses.next_s())

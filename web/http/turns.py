"""Work that only few may do at once, in fair turns: many requests of one client do not delay
others.

    turns = Turns(at_once=1, of_one_max=2, waiting_max=16, wait_s=6)
    async with turns.turn("203.0.113.9"):
        ...

The client that was served least recently is next, and among equals the newest one: if strangers
come faster than they can be served, some must be refused, and those that have waited for longest
have most likely gone. A known client starts with an advantage of `KNOWN_AHEAD` turns.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import trio

from actors.runtime.buckets import Buckets
from protocol.errors import Busy, TooMany
from protocol.problems.detail import Detail

# A turn is forgotten after ten seconds, so an occasional client counts as new; many turns are
# forgotten after a quarter of an hour. A program may sign in for each of its requests: at first it
# stays ahead.
SERVED_MAX, SERVED_EVERY_S = 90, 10.0
KNOWN_AHEAD = 60
FULL_RETRY_S = 2
BUSY_RETRY_S = 3


class Waiting:
    """A waiting client; `has_turn` is None until it is decided."""

    def __init__(self, who: str, ahead: int, number: int) -> None:
        self.who = who
        self.ahead = ahead
        self.number = number
        self.has_turn: bool | None = None
        self.decided = trio.Event()

    def decide(self, has_turn: bool) -> None:
        self.has_turn = has_turn
        self.decided.set()


class Turns:
    """Args:
    at_once: how many have their turn at the same time.
    of_one_max: how many of one client wait or have their turn; more are refused at once.
    waiting_max: if more wait, the one that would be last is refused.
    wait_s: a client that has waited this long is refused.
    busy: the code of the error of a refusal.
    of_one_at_once: how many of one client have their turn; without it, all of them may.
    """

    def __init__(
        self,
        *,
        at_once: int,
        of_one_max: int,
        waiting_max: int,
        wait_s: float,
        busy: str = "sign_ins_busy",
        of_one_at_once: int | None = None,
    ) -> None:
        self._free = at_once
        self._of_one_at_once = of_one_at_once or at_once
        self._having: Counter[str] = Counter()
        self._of_one_max = of_one_max
        self._waiting_max = waiting_max
        self._wait_s = wait_s
        self._busy = busy
        self._of: Counter[str] = Counter()
        self._served = Buckets(SERVED_MAX, SERVED_EVERY_S)
        self._waiting: dict[int, Waiting] = {}
        self._numbers = count()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, who: str, *, is_known: bool = False) -> AsyncIterator[None]:
        """Raises `TooMany` if this client has enough requests under way, `Busy` if others go
        first."""
        if self._of[who] >= self._of_one_max:
            raise TooMany(Detail("too_many_at_once"), retry_after_s=FULL_RETRY_S)
        self._of[who] += 1
        try:
            await self._come(Waiting(who, KNOWN_AHEAD if is_known else 0, next(self._numbers)))
            try:
                yield
            finally:
                self._end(who)
        finally:
            self._of[who] -= 1
            if not self._of[who]:
                del self._of[who]

    async def _come(self, mine: Waiting) -> None:
        self._waiting[mine.number] = mine
        self._go_on()
        if len(self._waiting) > self._waiting_max:
            last = max(self._waiting.values(), key=self._place)
            del self._waiting[last.number]
            last.decide(False)
        try:
            if mine.has_turn is None:
                with trio.move_on_after(self._wait_s):
                    await mine.decided.wait()
        except trio.Cancelled:
            if mine.has_turn:  # it was given at this very moment
                self._end(mine.who)
            raise
        finally:
            self._waiting.pop(mine.number, None)
        if not mine.has_turn:
            raise Busy(Detail(self._busy), retry_after_s=BUSY_RETRY_S)

    def _go_on(self) -> None:
        """Give free turns to those who are next. Checks all that wait: some dozens."""
        while self._free:
            may = [w for w in self._waiting.values() if self._having[w.who] < self._of_one_at_once]
            if not may:
                return
            first = min(may, key=self._place)
            del self._waiting[first.number]
            self._free -= 1
            self._having[first.who] += 1
            self._served.take(first.who)
            first.decide(True)

    def _end(self, who: str) -> None:
        """A turn is over."""
        self._free += 1
        self._having[who] -= 1
        if not self._having[who]:
            del self._having[who]
        self._go_on()

    def _place(self, waiting: Waiting) -> tuple[int, int]:
        served = round(self._served.taken(waiting.who))
        return served - waiting.ahead, -waiting.number

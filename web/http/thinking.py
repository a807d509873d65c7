"""Computations of tens of milliseconds, one at a time.

    times = await thinking.turn(user.id, partial(occurrences, rule, now_us, 10))

One computation blocks everybody for its duration, and many requests would run theirs in one pass of
the event loop. So each one waits for its turn, users in fair order (the least recently served is
next), and after it all others have the processor for as long as it took. So nobody waits for more
than one of them, however many are requested.
"""

from collections.abc import Callable
from typing import TypeVar

import trio

from actors.runtime.isolation import Failed, attempt_now
from web.http.turns import Turns

T = TypeVar("T")

# At some 20 ms each and a pause of the same length, 128 are done within six seconds.
OF_ONE_MAX, WAITING_MAX, WAIT_S = 64, 128, 30.0


class Thinking:
    """One step at a time.

    Args:
        charge: called with who had the processor, and for how many seconds.
    """

    def __init__(self, charge: Callable[[str, float], None]) -> None:
        self._charge = charge
        self._turns = Turns(
            at_once=1,
            of_one_max=OF_ONE_MAX,
            waiting_max=WAITING_MAX,
            wait_s=WAIT_S,
            busy="costly_requests_busy",
        )

    async def turn(self, who: str, step: Callable[[], T]) -> T:
        """The result or the error of the step. Raises also `TooMany` and `Busy`."""
        async with self._turns.turn(who):
            since_s = trio.current_time()
            done = attempt_now(step)
            took_s = trio.current_time() - since_s
            self._charge(who, took_s)
            await trio.sleep(took_s)
        if isinstance(done, Failed):
            raise done.error
        return done

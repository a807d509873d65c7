"""Work that takes the processor for tens of milliseconds at once, for one request at a time.

    times = await thinking.turn(user.id, partial(occurrences, rule, now_us, 10))

What is computed in one step holds up everybody for as long, and what many ask for at once is done
in one pass of the event loop. So each such step waits for its turn, users in fair order (whoever
was served least of late is next), and after it all others have the processor for as long as it
took: nobody waits for more than one of them, however many are asked for.
"""

from collections.abc import Callable
from typing import TypeVar

import trio

from actors.runtime.isolation import Failed, attempt_now
from web.http.turns import Turns

T = TypeVar("T")

# At some 20 ms each and a pause as long, 128 steps are done within six seconds.
OF_ONE_MAX, WAITING_MAX, WAIT_S = 64, 128, 30.0
BUSY = "Too many costly requests at once"


class Thinking:
    """One step at a time.

    Args:
        charge: told who had the processor, and for how many seconds.
    """

    def __init__(self, charge: Callable[[str, float], None]) -> None:
        self._charge = charge
        self._turns = Turns(
            at_once=1, of_one_max=OF_ONE_MAX, waiting_max=WAITING_MAX, wait_s=WAIT_S, busy=BUSY
        )

    async def turn(self, who: str, step: Callable[[], T]) -> T:
        """What the step answers or raises. Raises also `TooMany` and `Busy`."""
        async with self._turns.turn(who):
            since_s = trio.current_time()
            done = attempt_now(step)
            took_s = trio.current_time() - since_s
            self._charge(who, took_s)
            await trio.sleep(took_s)
        if isinstance(done, Failed):
            raise done.error
        return done

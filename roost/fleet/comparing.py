"""Whether what a fleet's broker acknowledged is stored, each reading once."""

import trio

from actors.ports import WallClock
from protocol.errors import RoostError, Unavailable
from protocol.times import SECOND_US
from roost.fleet.account import Account
from roost.fleet.screen import Screen
from roost.fleet.tally import Tally

PATIENCE_S = 30.0  # for one more reading to be stored
SETTLES_S = 3.0
LOOKS_MAX = 5
# A broker that missed an acknowledgement sends again after five seconds.
DOUBLES_S = 6.0


class Comparison:
    """Usage: `begin` before the first reading is sent, `finish` when no more are."""

    def __init__(self, account: Account, clock: WallClock) -> None:
        self._account = account
        self._clock = clock
        self._since_us = clock.now_us()
        self._before = 0

    async def begin(self) -> None:
        """Count what was stored in this minute already, until earlier readings are all counted."""
        self._before = await self._stored()
        for _ in range(LOOKS_MAX):
            await trio.sleep(SETTLES_S)
            again = await self._stored()
            if again == self._before:
                break
            self._before = again

    async def finish(self, tally: Tally, screen: Screen) -> None:
        """Wait until all is counted that was acknowledged, and look again for doubles.

        Raises:
            RoostError: it is not, or more is stored than was sent.
        """
        stored, grew_s = 0, trio.current_time()
        while stored < tally.acknowledged and trio.current_time() - grew_s < PATIENCE_S:
            now_stored = await self._stored_or(stored)
            if now_stored > stored:
                stored, grew_s = now_stored, trio.current_time()
            screen.progress("stored", stored, tally.acknowledged)
            if stored < tally.acknowledged:
                await trio.sleep(1)
        if stored < tally.acknowledged:
            raise RoostError(
                f"{tally.acknowledged - stored:,} acknowledged readings were not stored: were they"
                " refused? (GET /api/v1/rejected-messages)"
            )
        await trio.sleep(DOUBLES_S)
        stored = await self._stored_or(stored)
        if stored > tally.sent:
            raise RoostError(f"{stored - tally.sent:,} more readings were stored than sent")
        unknown = tally.sent - tally.acknowledged
        screen.say(
            f"stored {stored:,}: all that was acknowledged, each once"
            if not unknown
            else f"stored {stored:,}; of {unknown:,} it is not known whether they arrived"
        )

    async def _stored_or(self, before: int) -> int:
        """What is stored of ours; the same as before while the server does not answer."""
        try:
            return await self._stored() - self._before
        except Unavailable:
            return before

    async def _stored(self) -> int:
        return await self._account.stored(self._since_us, self._clock.now_us() + SECOND_US)

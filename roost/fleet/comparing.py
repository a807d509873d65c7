"""Checks that every acknowledged reading is stored, once."""

import trio

from actors.runtime.clock import WallClock
from protocol.errors import RoostError, Unavailable
from protocol.times import SECOND_US
from roost.fleet.account import Account
from roost.fleet.screen import Screen
from roost.fleet.tally import Tally

# How long to wait for one more reading: if the server reports that it is well, if it reports a
# problem, and in all while readings still arrive.
PATIENCE_S = 30.0
UNWELL_PATIENCE_S = 300.0
LATE_MAX_S = 1_800.0
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
        """Count what was stored in this minute before, until earlier readings are all counted."""
        self._before = await self._stored()
        for _ in range(LOOKS_MAX):
            await trio.sleep(SETTLES_S)
            again = await self._stored()
            if again == self._before:
                break
            self._before = again

    async def finish(self, tally: Tally, screen: Screen) -> None:
        """Wait until everything acknowledged is counted, and check again for duplicates.

        Raises:
            RoostError: readings are missing, or more are stored than were sent.
        """
        stored, trouble = await self._wait_stored(tally, screen)
        left = tally.acknowledged - stored
        if left > 0 and trouble:
            raise RoostError(f"{left:,} acknowledged readings are late, not stored yet: {trouble}")
        if left > 0:
            raise RoostError(
                f"{left:,} acknowledged readings were not stored: were they"
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

    async def _wait_stored(self, tally: Tally, screen: Screen) -> tuple[int, str]:
        """How many are stored when all are, or when waiting is of no use; in the second case also
        why the rest may still arrive."""
        stored, trouble = 0, ""
        began_s = grew_s = well_s = trio.current_time()
        while True:
            now_stored = await self._stored_or(stored)
            now_s = trio.current_time()
            if now_stored > stored:
                stored, grew_s, well_s = now_stored, now_s, now_s
            if stored >= tally.acknowledged:
                return stored, ""
            trouble = await self._account.trouble()
            if trouble:
                well_s = now_s
            if now_s - well_s >= PATIENCE_S or now_s - grew_s >= UNWELL_PATIENCE_S:
                return stored, trouble
            if now_s - began_s >= LATE_MAX_S:
                return stored, trouble or "they still come"
            if trouble:
                screen.show(f"stored: {stored:,} of {tally.acknowledged:,}, {trouble}")
            else:
                screen.progress("stored", stored, tally.acknowledged)
            await trio.sleep(1)

    async def _stored_or(self, before: int) -> int:
        """How many of our readings are stored; the number from before if the server does not
        answer."""
        try:
            return await self._stored() - self._before
        except Unavailable:
            return before

    async def _stored(self) -> int:
        return await self._account.stored(self._since_us, self._clock.now_us() + SECOND_US)

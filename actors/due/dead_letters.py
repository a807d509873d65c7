"""Dead letters of the running service: noted, counted, and retried.

Work with its own row (a schedule, an occurrence, a command, a delivery) becomes due again by that
row. Its letter is a record, which is deleted if it is not renewed in time. Work without such a row
(a device that cannot be loaded, a user whose listener cannot be served, a row that no list can
show) is due by its letter. Letters of objects that were deleted meanwhile are deleted within
seconds.
"""

from collections.abc import Callable, Mapping
from functools import partial

import structlog

from actors.containment.put_aside import put_aside
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt, attempt_now
from protocol.dead_letters import OWN_ROW, DeadLetter
from protocol.errors import Unavailable, in_words
from protocol.times import SECOND_US

log = structlog.get_logger("roost.dead_letters")

AGAIN_MAX = 100
AGAIN_S = 10
# Work with its own row has been retried by then, if its job runs at all.
RENEWED_WITHIN_S = 120


async def read_row_again(store: Store, clock: WallClock, letter: DeadLetter) -> None:
    """Check whether the row can be read now."""
    again = partial(store.read_row_again, letter.subject, letter.user_id or "")
    await _tried(store, clock, letter, await attempt(again))


async def expire_again(store: Store, clock: WallClock, letter: DeadLetter) -> None:
    """Check whether the feed's expired history can be deleted now."""

    async def again() -> None:
        await store.expire_history(clock.now_us(), int(letter.subject) - 1)

    await _tried(store, clock, letter, await attempt(again))


async def _tried(store: Store, clock: WallClock, letter: DeadLetter, done: object) -> None:
    """A failed try counts as one more attempt. While the store is unavailable it does not count,
    and the letter stays due."""
    if not isinstance(done, Failed):
        return
    if isinstance(done.error, Unavailable):
        log.debug("tried again later", work=letter.work, error=in_words(done.error))
    else:
        await put_aside(store, clock, letter.work, letter.subject, done.error, letter.user_id)


class DeadLetters:
    """The work of a job.

    Args:
        again: by kind of work, retries one letter and settles it: clears it, or puts it aside once
            more.
    """

    def __init__(
        self, store: Store, clock: WallClock, again: Mapping[str, Callable[[DeadLetter], None]]
    ) -> None:
        self.counts: dict[str, int] = {}  # by kind of work, as of the last look
        self._store = store
        self._clock = clock
        self._again = dict(again)

    async def work(self) -> int | None:
        now_us = self._clock.now_us()
        self.counts = await self._store.count_dead_letters()
        gone = [await self._forget_gone(work) for work in self.counts]
        if any(gone):
            self.counts = await self._store.count_dead_letters()
        for work in [each for each in OWN_ROW if each in self.counts]:
            renewed_us = now_us - RENEWED_WITHIN_S * SECOND_US
            await self._store.forget_dead_letters(work, renewed_us)
        for work in [each for each in self._again if each in self.counts]:
            for letter in await self._store.due_dead_letters(work, now_us, AGAIN_MAX):
                done = attempt_now(partial(self._again[work], letter))
                await _tried(self._store, self._clock, letter, done)
        return now_us + AGAIN_S * SECOND_US if self.counts else None

    async def _forget_gone(self, work: str) -> int:
        """Delete letters of deleted objects; if that cannot be checked, letters are retried
        nevertheless."""
        gone = await attempt(partial(self._store.forget_gone_letters, work))
        if not isinstance(gone, Failed):
            return gone
        if isinstance(gone.error, Unavailable):
            raise gone.error
        log.warning("dead letters are looked through later", work=work, error=repr(gone.error))
        return 0

    def degraded(self) -> dict[str, str]:
        """For `/readyz`."""
        if not self.counts:
            return {}
        said = ", ".join(f"{work} {count}" for work, count in sorted(self.counts.items()))
        return {"dead letters": f"{said}: see `roost dead-letters`"}

"""Wrong tokens, keys and tickets: how many may come from a network.

    async with failed.trying("203.0.113.9"):
        asker = await auth.asker_of(token)      # raises Unauthorized

Only failures count, so a site behind one address is not locked out when somebody guesses keys
there: after too many failures, credentials from there are checked one at a time, and right ones are
accepted. So strangers use one connection to the database at most, and learn nothing from their
guesses.
"""

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
import trio

from actors.runtime.buckets import Buckets
from actors.runtime.sampled import Sampled
from protocol.errors import Busy, TooMany, Unauthorized
from protocol.problems.detail import Detail

log = structlog.get_logger("roost.web")

# Per network: how many may fail at once; ten more may fail each second. 128 bits cannot be guessed;
# the limit is for the cost of checking.
FAILURES_MAX, FAILURE_EVERY_S = 200, 0.1
# After too many failures: how many may wait for the check, and for how long. A check takes some
# milliseconds.
WAITING_MAX = 1_000
WAIT_S = 5.0
RETRY_S = 5


class FailedAuth:
    """Counts failures by network (`protocol.people.networks.network_of`)."""

    def __init__(self) -> None:
        self._told = Sampled()
        self._failures = Buckets(FAILURES_MAX, FAILURE_EVERY_S)
        self._look = trio.CapacityLimiter(1)

    @asynccontextmanager
    async def trying(self, network: str) -> AsyncIterator[None]:
        """Around the check of a credential.

        Raises:
            TooMany: it is wrong, like too many from there before.
            Busy: too many wait to be checked.
        """
        if not self._failures.is_empty(network):
            with self.counted(network):
                yield
            return
        await self._wait()
        try:
            with self.counted(network):
                yield
        finally:
            self._look.release()

    async def _wait(self) -> None:
        if self._look.statistics().tasks_waiting < WAITING_MAX:
            with trio.move_on_after(WAIT_S):
                await self._look.acquire()
                return
        raise Busy(Detail("too_many_wrong_credentials"), retry_after_s=RETRY_S)

    @contextmanager
    def counted(self, network: str) -> Iterator[None]:
        """Count `Unauthorized` errors of the block. Raises `TooMany` instead after too many
        failures."""
        try:
            yield
        except Unauthorized:
            wait_s = self._failures.take(network)
            if not wait_s:
                raise
            if times := self._told.times():
                log.info("wrong credentials refused", network=network, times=times)
            detail = Detail("too_many_wrong_tokens")
            raise TooMany(detail, retry_after_s=math.ceil(wait_s)) from None

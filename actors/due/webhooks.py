"""Deliveries to webhooks: claimed ones are signed and posted, and the outcome is noted.

The database is the outbox. Every delivery here was claimed there, and becomes due again by itself
when this process dies. So a receiver may get an event twice, and recognises it by its id; no event
is lost. Receivers that hang use a few of the senders for seconds, however many webhooks a user has,
and delay nobody else.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial

import structlog
import trio

from actors.containment.put_aside import put_aside
from actors.ports.store import Store
from actors.ports.webhooks import Receivers, Wanted
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt
from actors.runtime.retry import Pauses, until_available
from protocol.dead_letters import WEBHOOKS
from protocol.errors import Unavailable, in_words
from protocol.problems.detail import Detail
from protocol.times import SECOND_US
from protocol.webhook.deliveries import ClaimedDelivery, Outcome, failed
from protocol.webhook.signing import signed_headers

log = structlog.get_logger("roost.webhooks")

SENDERS = 64
# At once of a webhook, and of all webhooks of a user. So many are claimed in one query, too.
EACH_MAX = 4
OF_USER_MAX = 8
RETRY_S = 1.0
# By then the lease of the claim has run out: the next process that claims it notes the outcome.
NOTE_WITHIN_S = 15.0


class WebhookSender:
    """Usage: `nursery.start_soon(sender.run)`; `deliver` is the work of a job.

    Args:
        freed: called whenever a sender is free again.
    """

    def __init__(
        self,
        store: Store,
        receivers: Receivers,
        clock: WallClock,
        freed: Callable[[], None],
    ) -> None:
        self.delivered = 0
        self.failed = 0
        self._store = store
        self._receivers = receivers
        self._clock = clock
        self._freed = freed
        self._running: Counter[int] = Counter()  # by webhook
        self._of_users: Counter[str] = Counter()
        self._put, self._take = trio.open_memory_channel[ClaimedDelivery](SENDERS)

    @property
    def in_flight(self) -> int:
        """Claimed deliveries whose outcome is not noted yet."""
        return self._running.total()

    @property
    def sending(self) -> Counter[int]:
        """How many senders each webhook uses at the moment."""
        return self._running

    async def deliver(self) -> int | None:
        """Claim due deliveries, as many as senders are free; return when the next one is due."""
        while room := SENDERS - self._running.total():
            busy = sorted(+self._running)
            full = OF_USER_MAX - EACH_MAX
            crowded = sorted(user for user, count in self._of_users.items() if count > full)
            wanted = Wanted(
                now_us=self._clock.now_us(),
                limit=min(room, EACH_MAX),
                each=EACH_MAX,
                busy=busy,
                crowded=crowded,
            )
            claimed = await self._store.claim_deliveries(wanted)
            if not claimed.claims:
                return claimed.next_us
            for claim in claimed.claims:
                self._running[claim.delivery.webhook_num] += 1
                self._of_users[claim.user_id] += 1
                self._put.send_nowait(claim)
        return None  # `freed` will wake the job

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(SENDERS):
                nursery.start_soon(self._send_forever)

    async def _send_forever(self) -> None:
        async for claim in self._take:
            try:
                await self._send(claim)
            finally:
                self._running[claim.delivery.webhook_num] -= 1
                self._of_users[claim.user_id] -= 1
                self._of_users = +self._of_users
                self._freed()

    async def _send(self, claim: ClaimedDelivery) -> None:
        """Send it and note the outcome. A failure concerns this delivery alone.

        If the outcome cannot be noted, the delivery becomes due again when the lease of its claim
        runs out.
        """
        outcome = await attempt(partial(self._post, claim))
        if isinstance(outcome, Failed):
            await self._put_aside(claim, outcome.error)
            self.failed += 1
            kind = type(outcome.error).__name__
            outcome = failed(Detail("delivery_unsent", problem=kind))
        noted = await attempt(partial(self._note, claim, outcome))
        if isinstance(noted, Failed):
            await self._put_aside(claim, noted.error)

    async def _put_aside(self, claim: ClaimedDelivery, error: Exception) -> None:
        await put_aside(self._store, self._clock, WEBHOOKS, claim.delivery.id, error, claim.user_id)

    async def _post(self, claim: ClaimedDelivery) -> Outcome:
        delivery, body = claim.delivery, claim.delivery.body.encode()
        at_s = self._clock.now_us() // SECOND_US
        headers = signed_headers(claim.secret, delivery.event_id, at_s, body)
        outcome = await self._receivers.post(claim.url, headers, body)
        if outcome.is_good:
            self.delivered += 1
        else:
            self.failed += 1
            log.info(
                "webhook failed",
                delivery=delivery.id,
                attempts=delivery.attempts,
                status=outcome.status,
                detail=outcome.detail,
            )
        return outcome

    async def _note(self, claim: ClaimedDelivery, outcome: Outcome) -> None:
        async def note() -> None:
            await self._store.delivery_tried(claim.delivery, outcome, self._clock.now_us())

        with trio.move_on_after(NOTE_WITHIN_S):
            await until_available(note, Pauses(RETRY_S), _waits)


def _waits(error: Unavailable) -> None:
    log.warning("deliveries are noted later", error=in_words(error))

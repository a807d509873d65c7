"""Webhooks and their deliveries in the store's twin, and receivers without a network."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import trio

from actors.adapters.memory.store.dead_letters import DeadLetterTables
from actors.adapters.memory.store.rules import computed, revised
from actors.ports.webhooks import ClaimedDeliveries, Wanted
from actors.runtime.clock import WallClock
from protocol.dead_letters import WEBHOOKS
from protocol.device.alarms import Alarm
from protocol.device.commands import Command
from protocol.errors import Conflict, Unreadable
from protocol.problems.detail import Detail
from protocol.rest.bounds import check_room
from protocol.schedule.schedules import Occurrence
from protocol.times import SECOND_US
from protocol.webhook import deliveries as webhooks
from protocol.webhook.deliveries import (
    ANSWER_WITHIN_S,
    DEAD,
    DELIVERED,
    NEXT_MAX_US,
    PENDING,
    WAITING_MAX,
    WEBHOOKS_MAX,
    ClaimedDelivery,
    News,
    Outcome,
    Webhook,
    WebhookDelivery,
    failed,
)

# URL, headers and body of a request, to its status.
Receive = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]


class WebhookTables(DeadLetterTables):
    """See `actors.ports.webhooks.WebhookStore`.

    Attributes:
        all_deliveries: of all users, by their ids; `all_webhooks` likewise, by their numbers.
    """

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self.all_webhooks: dict[int, Webhook] = {}
        self.all_deliveries: dict[str, WebhookDelivery] = {}
        # The indexes of PostgreSQL: waiting deliveries, by webhook, and the unique key.
        self._waiting: dict[int, dict[str, None]] = {}  # by ids: a test may damage a row
        self._delivery_of: dict[tuple[int, str], str] = {}

    def _announce(
        self,
        now_us: int,
        *,
        alarms: Sequence[Alarm] = (),
        commands: Sequence[Command] = (),
        occurrences: Sequence[Occurrence] = (),
    ) -> bool:
        """Add deliveries for what changed, for the webhooks that want them; return whether any
        does."""
        told = False
        news = webhooks.news_of(now_us, alarms=alarms, commands=commands, occurrences=occurrences)
        for hook in list(self.all_webhooks.values()):
            wanted = [n for n in news if n.user_id == hook.user_id and n.type in hook.events]
            if not wanted or not self._may_get(hook):
                continue
            room = WAITING_MAX - len(self._pending(hook))
            if len(wanted) > room:
                dropped = hook.dropped + len(wanted) - room
                self.all_webhooks[hook.num] = msgspec.structs.replace(hook, dropped=dropped)
            for each in wanted[:room]:
                self._insert_delivery(hook, each)
                told = True
        return told

    def _may_get(self, hook: Webhook) -> bool:
        return hook.enabled and not self._is_disabled(hook.user_id)

    def _pending(self, hook: Webhook) -> list[WebhookDelivery]:
        return [self.all_deliveries[each] for each in self._waiting.get(hook.num, ())]

    def _keep_delivery(self, delivery: WebhookDelivery) -> None:
        self.all_deliveries[delivery.id] = delivery
        self._delivery_of[delivery.webhook_num, delivery.event_id] = delivery.id
        waiting = self._waiting.setdefault(delivery.webhook_num, {})
        if delivery.state == PENDING:
            waiting[delivery.id] = None
        else:
            waiting.pop(delivery.id, None)

    def _drop_delivery(self, delivery: WebhookDelivery) -> None:
        del self.all_deliveries[delivery.id]
        del self._delivery_of[delivery.webhook_num, delivery.event_id]
        self._waiting[delivery.webhook_num].pop(delivery.id, None)

    def _insert_delivery(self, hook: Webhook, news: News) -> WebhookDelivery:
        known = self._delivery_of.get((hook.num, news.event_id))
        if known is not None:
            return self.all_deliveries[known]
        num = self._next("delivery")
        made = WebhookDelivery(
            num=num,
            id=f"00000000-0000-4000-c000-{num:012x}",
            webhook_num=hook.num,
            event_id=news.event_id,
            type=news.type,
            body=news.body,
            created_us=self._clock.now_us(),
            next_try_us=0,
        )
        self._keep_delivery(made)
        return made

    def _forget_delivered(self, now_us: int) -> None:
        kept = {DELIVERED: webhooks.DELIVERED_KEPT_DAYS, DEAD: webhooks.DEAD_KEPT_DAYS}
        for each in list(self.all_deliveries.values()):
            days = kept.get(each.state)
            if days is not None and each.created_us < now_us - days * 24 * 3_600 * SECOND_US:
                self._drop_delivery(each)

    async def add_webhook(self, webhook: Webhook, most: int = WEBHOOKS_MAX) -> Webhook:
        await self._cross()
        mine = [each for each in self.all_webhooks.values() if each.user_id == webhook.user_id]
        check_room("webhooks_full", len(mine), 1, most)
        webhook = msgspec.structs.replace(webhook, num=self._next("webhook"))
        self.all_webhooks[webhook.num] = webhook
        return webhook

    async def webhook(self, user_id: str, webhook_id: str) -> Webhook | None:
        await self._cross()
        found: Webhook | None = self._one("webhooks", self._webhook_of(user_id, webhook_id))
        return found

    def _webhook_of(self, user_id: str, webhook_id: str) -> Webhook | None:
        found = [
            w for w in self.all_webhooks.values() if (w.user_id, w.id) == (user_id, webhook_id)
        ]
        return found[0] if found else None

    async def update_webhook(self, webhook: Webhook, known: int | None = None) -> None:
        await self._cross()
        current = self.all_webhooks.get(webhook.num)
        if current is not None:
            self.all_webhooks[webhook.num] = msgspec.structs.replace(
                webhook,
                failures=0,
                paused_us=None,
                dropped=current.dropped,
                revision=revised(current.revision, known),
            )
            for delivery in self._pending(webhook):
                self._keep_delivery(msgspec.structs.replace(delivery, next_try_us=0))

    async def delete_webhook(self, user_id: str, webhook_id: str) -> None:
        await self._cross()
        known = self._webhook_of(user_id, webhook_id)
        if known is not None:
            self._drop_webhook(known)

    def _switch_off_webhooks(self, user_id: str) -> None:
        for num, hook in self.all_webhooks.items():
            if hook.user_id == user_id:
                off = msgspec.structs.replace(hook, enabled=False, revision=hook.revision + 1)
                self.all_webhooks[num] = off

    def _drop_webhook(self, webhook: Webhook) -> None:
        del self.all_webhooks[webhook.num]
        every = list(self.all_deliveries.values())
        for delivery in [d for d in every if d.webhook_num == webhook.num]:
            self._drop_delivery(delivery)

    async def add_delivery(self, webhook: Webhook, news: News) -> WebhookDelivery:
        await self._cross()
        known = self.all_webhooks.get(webhook.num)
        if known is None:
            raise Conflict(Detail("webhook_deleted"))
        if len(self._pending(known)) >= WAITING_MAX:
            raise Conflict(Detail("deliveries_full", most=WAITING_MAX))
        return self._insert_delivery(known, news)

    async def retry_delivery(
        self, user_id: str, webhook_id: str, delivery_id: str, now_us: int
    ) -> WebhookDelivery | None:
        await self._cross()
        hook = self._webhook_of(user_id, webhook_id)
        known = self.all_deliveries.get(delivery_id)
        if hook is None or known is None or known.webhook_num != hook.num:
            return None
        self._keep_delivery(webhooks.again(known, now_us))
        return self.all_deliveries[delivery_id]

    async def claim_deliveries(self, wanted: Wanted) -> ClaimedDeliveries:
        await self._cross()
        now_us = wanted.now_us
        free = [
            hook
            for hook in self.all_webhooks.values()
            if self._may_get(hook)
            and hook.num not in wanted.busy
            and hook.user_id not in wanted.crowded
        ]
        due: list[WebhookDelivery] = []
        for hook in free:
            if hook.paused_us is None or not now_us < hook.paused_us <= now_us + NEXT_MAX_US:
                mine = [d for d in self._pending(hook) if _is_due(d, now_us)]
                due += sorted(mine, key=lambda d: (d.next_try_us, d.num))[: wanted.each]
        due = sorted(due, key=lambda d: d.num)[: wanted.limit]
        rest = (d for d in reversed(self.all_deliveries.values()) if d not in due)
        self._check_readable(
            [self._unread_delivery(d) for d in due], map(self._unread_delivery, rest)
        )
        claims = []
        for delivery in due:
            hook = self.all_webhooks[delivery.webhook_num]
            unread = self._unread_delivery(delivery)
            claimed = computed(webhooks.claimed, delivery, now_us) if unread is None else unread
            if isinstance(claimed, Exception):
                next_us = self._hold(WEBHOOKS, delivery.id, claimed, now_us, hook.user_id)
                self._keep_delivery(msgspec.structs.replace(delivery, next_try_us=next_us))
                continue
            self._keep_delivery(claimed)
            claims.append(
                ClaimedDelivery(
                    delivery=claimed, user_id=hook.user_id, url=hook.url, secret=hook.secret
                )
            )
        taken = {claim.delivery.webhook_num for claim in claims}
        times = [
            max(hook.paused_us or 0, min(d.next_try_us for d in pending))
            for hook in free
            if hook.num not in taken and (pending := self._pending(hook))
        ]
        return ClaimedDeliveries(claims=tuple(claims), next_us=min(times, default=None))

    def _unread_delivery(self, delivery: WebhookDelivery) -> Unreadable | None:
        return self._unread(("deliveries", delivery.num), ("webhooks", delivery.webhook_num))

    def _due_again(self, work: str, subject: str, now_us: int) -> None:
        super()._due_again(work, subject, now_us)
        delivery = self.all_deliveries.get(subject)
        if work == WEBHOOKS and delivery is not None and delivery.state == PENDING:
            self._keep_delivery(msgspec.structs.replace(delivery, next_try_us=0))
            hook = self.all_webhooks[delivery.webhook_num]
            self.all_webhooks[hook.num] = msgspec.structs.replace(hook, paused_us=None)

    def _is_gone(self, work: str, subject: str) -> bool:
        if work != WEBHOOKS:
            return super()._is_gone(work, subject)
        delivery = self.all_deliveries.get(subject)
        return delivery is None or delivery.state != PENDING

    async def delivery_tried(
        self, delivery: WebhookDelivery, outcome: Outcome, now_us: int
    ) -> None:
        await self._cross()
        hook = self.all_webhooks.get(delivery.webhook_num)
        if hook is None:
            return
        failures, paused_us = webhooks.after_try(hook.failures, outcome, now_us)
        self.all_webhooks[hook.num] = msgspec.structs.replace(
            hook, failures=failures, paused_us=paused_us
        )
        known = self.all_deliveries.get(delivery.id)
        # Another try may have begun since, or the delivery was requested again: this was not the
        # last try.
        if known is not None and (known.state, known.attempts) == (PENDING, delivery.attempts):
            self._keep_delivery(webhooks.tried(known, outcome, now_us))


def _is_due(delivery: WebhookDelivery, now_us: int) -> bool:
    return delivery.next_try_us <= now_us or delivery.next_try_us > now_us + NEXT_MAX_US


class MemoryReceivers:
    """See `actors.ports.webhooks.Receivers`: `answer` plays the receivers.

    Args:
        answer: the status for a request; it may take its time.
    """

    def __init__(self, answer: Receive | None = None) -> None:
        self._answer = answer

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        await trio.lowlevel.checkpoint()
        if self._answer is None:
            return failed(Detail("delivery_unconnected", problem="nobody listens there"))
        with trio.move_on_after(ANSWER_WITHIN_S):
            return Outcome(status=await self._answer(url, headers, body))
        return failed(Detail("delivery_unanswered", seconds=ANSWER_WITHIN_S))

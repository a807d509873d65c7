"""Webhooks as their users configure them, and their part of the Store port."""

from typing import Any

from actors.adapters.postgres import webhook_outbox as delivering
from actors.adapters.postgres.tables import WEBHOOKS
from actors.adapters.postgres.wire.optimistic_lock import revise
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.adapters.postgres.wire.shares import check_share
from actors.ports.webhooks import ClaimedDeliveries, Wanted
from protocol.webhook.deliveries import WEBHOOKS_MAX, News, Outcome, Webhook, WebhookDelivery


async def add_webhook(connection: Any, new: Webhook, most: int) -> Webhook:
    async with connection.transaction():
        await check_share(connection, "webhooks", new.user_id, most)
        await connection.execute(WEBHOOKS.insert(), *WEBHOOKS.arguments(new))
        added = await connection.fetchrow(
            f"SELECT {WEBHOOKS.selected} FROM {WEBHOOKS.source} WHERE w.id = $1::text::uuid",
            new.id,
        )
    return WEBHOOKS.record(added)


async def update_webhook(connection: Any, changed: Webhook, known: int | None) -> None:
    async with connection.transaction():
        also = "failures = 0, paused_at = NULL"
        await revise(connection, WEBHOOKS, changed, known, also=also)
        await connection.execute(
            "UPDATE webhook_deliveries SET next_try_at = $2 WHERE webhook_num = $1"
            " AND state = 'pending' AND next_try_at > $2",
            changed.num,
            0,
        )


async def delete_webhook(connection: Any, user_id: str, webhook_id: str) -> None:
    await connection.execute(
        "DELETE FROM webhooks WHERE user_id = $1::text::uuid AND id = $2::text::uuid",
        user_id,
        webhook_id,
    )


class WebhookCalls(PooledCalls):
    """See `actors.ports.webhooks.WebhookStore`."""

    async def add_webhook(self, webhook: Webhook, most: int = WEBHOOKS_MAX) -> Webhook:
        return await self._work(add_webhook, webhook, most)

    async def update_webhook(self, webhook: Webhook, known: int | None = None) -> None:
        await self._work(update_webhook, webhook, known)

    async def delete_webhook(self, user_id: str, webhook_id: str) -> None:
        await self._work(delete_webhook, user_id, webhook_id)

    async def add_delivery(self, webhook: Webhook, news: News) -> WebhookDelivery:
        return await self._work(delivering.add_delivery, webhook, news)

    async def retry_delivery(
        self, user_id: str, webhook_id: str, delivery_id: str, now_us: int
    ) -> WebhookDelivery | None:
        return await self._work(delivering.retry_delivery, user_id, webhook_id, delivery_id, now_us)

    async def claim_deliveries(self, wanted: Wanted) -> ClaimedDeliveries:
        return await self._work(delivering.claim_deliveries, wanted)

    async def delivery_tried(
        self, delivery: WebhookDelivery, outcome: Outcome, now_us: int
    ) -> None:
        await self._work(delivering.delivery_tried, delivery, outcome, now_us)

"""Webhooks: what the store keeps of them, and whoever listens behind their URLs."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from protocol.webhook.deliveries import (
    WEBHOOKS_MAX,
    ClaimedDelivery,
    News,
    Outcome,
    Webhook,
    WebhookDelivery,
)


class ClaimedDeliveries(msgspec.Struct, frozen=True, kw_only=True):
    """Claimed deliveries, and when (µs) the next claim is due."""

    claims: tuple[ClaimedDelivery, ...] = ()
    next_us: int | None = None


class WebhookStore(Protocol):
    """The part of the store that knows who wants to be told of what.

    What is worth telling of alarms, commands and occurrences becomes deliveries in the very
    transaction that changes them; whoever is told of the change (`Progress.told`) looks for them.
    """

    async def add_webhook(self, webhook: Webhook, most: int = WEBHOOKS_MAX) -> Webhook:
        """Raises `Conflict` where the user would have more than `most`."""
        ...

    async def webhook(self, user_id: str, webhook_id: str) -> Webhook | None: ...

    async def update_webhook(self, webhook: Webhook, known: int | None = None) -> None:
        """Its settings; and it counts as one that did not fail, so what waits is due at once."""
        ...

    async def delete_webhook(self, user_id: str, webhook_id: str) -> None:
        """With its deliveries."""
        ...

    async def add_delivery(self, webhook: Webhook, news: News) -> WebhookDelivery:
        """Raises `Conflict` where too many wait, or the webhook is gone."""
        ...

    async def retry_delivery(
        self, user_id: str, webhook_id: str, delivery_id: str, now_us: int
    ) -> WebhookDelivery | None:
        """It waits again, as new; None where there is none."""
        ...

    async def claim_deliveries(
        self, now_us: int, limit: int, each: int, busy: Sequence[int]
    ) -> ClaimedDeliveries:
        """Deliveries to be tried now, up to `each` of a webhook and none of the `busy` (`num`).

        When the next is due says nothing of the busy ones, nor of those that were claimed from.
        """
        ...

    async def delivery_tried(
        self, delivery: WebhookDelivery, outcome: Outcome, now_us: int
    ) -> None:
        """What came of a claimed one; nothing for it where another try began since."""
        ...


class Receivers(Protocol):
    """Whoever listens behind the URLs of webhooks."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One try, ended within `ANSWER_WITHIN_S`. Never raises for what the receiver does."""
        ...

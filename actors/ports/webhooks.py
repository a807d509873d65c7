"""Webhooks: the store's part for them, and the receivers behind their URLs."""

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


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries a sender has room for.

    Attributes:
        limit, each: how many in all, and of one webhook.
        busy: webhooks (`num`) that are left out.
        crowded: users that are left out.
    """

    now_us: int
    limit: int
    each: int
    busy: Sequence[int] = ()
    crowded: Sequence[str] = ()


class WebhookStore(Protocol):
    """The part of the store that has webhooks and their deliveries.

    Changes of alarms, commands and occurrences become deliveries in the same transaction; whoever
    is told of the change (`Progress.told`) looks for them.
    """

    async def add_webhook(self, webhook: Webhook, most: int = WEBHOOKS_MAX) -> Webhook:
        """Raises `Conflict` if the user would have more than `most`."""
        ...

    async def webhook(self, user_id: str, webhook_id: str) -> Webhook | None: ...

    async def update_webhook(self, webhook: Webhook, known: int | None = None) -> None:
        """Its settings; its failures are forgotten, so pending deliveries are due at once."""
        ...

    async def delete_webhook(self, user_id: str, webhook_id: str) -> None:
        """With its deliveries."""
        ...

    async def add_delivery(self, webhook: Webhook, news: News) -> WebhookDelivery:
        """Raises `Conflict` if too many wait, or the webhook was deleted."""
        ...

    async def retry_delivery(
        self, user_id: str, webhook_id: str, delivery_id: str, now_us: int
    ) -> WebhookDelivery | None:
        """It becomes pending again, like a new one; None if there is none."""
        ...

    async def claim_deliveries(self, wanted: Wanted) -> ClaimedDeliveries:
        """Deliveries to try now. The time of the next one ignores what `wanted` leaves out, and
        webhooks that were claimed from."""
        ...

    async def delivery_tried(
        self, delivery: WebhookDelivery, outcome: Outcome, now_us: int
    ) -> None:
        """The outcome of a claimed one; ignored if another try began since."""
        ...


class Receivers(Protocol):
    """The receivers behind the URLs of webhooks."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One try, ended within `ANSWER_WITHIN_S`. Never raises because of the receiver."""
        ...

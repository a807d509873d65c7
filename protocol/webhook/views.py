"""REST shapes of webhooks and deliveries."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.problems.coded import CodedView, code_of
from protocol.rest.patterns import LINE
from protocol.times import format_us, shown_us
from protocol.views import view_of
from protocol.webhook.deliveries import EVENTS, PENDING, EventType, Webhook, WebhookDelivery

Url = Annotated[str, Meta(min_length=1, max_length=2_000, extra_json_schema={"format": "uri"})]
Events = Annotated[list[EventType], Meta(min_length=1, max_length=len(EVENTS))]
Description = Annotated[str, Meta(max_length=200, pattern=LINE)]


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`url` is https:// or http://; `events`: null for all."""

    url: Url
    events: Events | None = None
    description: Description = ""
    enabled: bool = True


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A disabled webhook gets no new events; its pending deliveries continue once it is enabled."""

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: `active`, `failing` (the last try failed), or `disabled`."""

    id: str
    url: str
    events: tuple[str, ...]
    description: str
    enabled: bool
    state: str
    failures: int
    paused_until: str | None
    dropped: int
    created_at: str


class WebhookCreated(WebhookView, frozen=True, kw_only=True):
    """`secret` signs the deliveries; it is shown once."""

    secret: str


class NewWebhookSecret(msgspec.Struct, frozen=True):
    secret: str


class DeliveryView(CodedView, frozen=True, kw_only=True):
    """`event_id` is the header `webhook-id`; `payload` the body of the request."""

    id: str
    event_id: str
    type: str
    state: str
    attempts: int
    last_status: int | None
    detail: str
    created_at: str
    next_try_at: str | None
    finished_at: str | None
    payload: msgspec.Raw


def webhook_view(webhook: Webhook) -> WebhookView:
    state = "failing" if webhook.failures else "active"
    return view_of(
        WebhookView,
        webhook,
        state=state if webhook.enabled else "disabled",
        paused_until=shown_us(webhook.paused_us),
    )


def webhook_created(webhook: Webhook) -> WebhookCreated:
    seen = msgspec.structs.asdict(webhook_view(webhook))
    return WebhookCreated(**seen, secret=webhook.secret)


def delivery_view(delivery: WebhookDelivery) -> DeliveryView:
    waits = delivery.state == PENDING
    return view_of(
        DeliveryView,
        delivery,
        # Before the first try it is 0, which means at once.
        next_try_at=format_us(max(delivery.next_try_us, delivery.created_us)) if waits else None,
        payload=msgspec.Raw(delivery.body.encode()),
        **code_of(delivery.coded),
    )

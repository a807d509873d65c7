"""REST calls for webhooks and their deliveries."""

from collections.abc import Sequence

import msgspec

from protocol.errors import Invalid
from protocol.problems.detail import Detail
from protocol.rest.listing import DELIVERIES, WEBHOOKS
from protocol.rest.shapes import Page
from protocol.views import given_in
from protocol.webhook.deliveries import (
    DEAD,
    DELIVERED,
    EVENTS,
    PENDING,
    EventType,
    Webhook,
    trial_news,
)
from protocol.webhook.signing import new_secret
from protocol.webhook.ssrf import BadTarget, is_public, literal, parse_target
from protocol.webhook.views import (
    DeliveryView,
    NewWebhook,
    NewWebhookSecret,
    WebhookChange,
    WebhookCreated,
    WebhookView,
    delivery_view,
    webhook_created,
    webhook_view,
)
from web.http.context import Call
from web.http.listing import ListQuery, SearchQuery, listed, shown_alone, some_of, truth
from web.http.missing import missing
from web.http.operation import Condition, Json
from web.http.preconditions import check_match, tag
from web.http.routing import Api
from web.people.activity import note_soon

api = Api("webhooks")

STATES = (PENDING, DELIVERED, DEAD)


class WebhooksQuery(SearchQuery, frozen=True, kw_only=True):
    """`q`: a part of a URL or description."""

    enabled: bool | None = None


class DeliveriesQuery(ListQuery, frozen=True, kw_only=True):
    """`state`: pending, delivered, dead, or several separated by commas; default: all."""

    state: str | None = None
    type: EventType | None = None


@api.operation(
    "POST",
    "/webhooks",
    body=Json(NewWebhook),
    answer=Json(WebhookCreated),
    status=201,
    errors=(409,),
)
async def add_webhook(call: Call, body: NewWebhook) -> WebhookCreated:
    """Send alarms, command results and missed schedules to a URL.

    The signing secret is shown in this response only.
    """
    made = Webhook(
        id=call.service.ids.uuid(),
        user_id=call.user.id,
        url=_checked(call, body.url),
        events=EVENTS if body.events is None else _unique(body.events),
        secret=_new_secret(call),
        description=body.description,
        enabled=body.enabled,
        created_us=call.service.clock.now_us(),
    )
    added = await call.service.store.add_webhook(made, call.settings.bounds.webhooks)
    note_soon(call, "webhook_added", added.url)
    return webhook_created(added)


@api.operation("GET", "/webhooks", query=WebhooksQuery, answer=Json(Page[WebhookView]))
async def list_webhooks(call: Call, query: WebhooksQuery) -> Page[WebhookView]:
    """List your webhooks, oldest first; `sort` takes url and failures."""
    return await listed(call, WEBHOOKS, query, webhook_view, enabled=truth(query.enabled))


@api.operation(
    "GET",
    "/webhooks/<webhook_id>",
    answer=Json(WebhookView),
    errors=(404,),
    condition=Condition.REVISION,
)
async def show_webhook(call: Call, webhook_id: str) -> WebhookView:
    """Show a webhook, and whether its receiver answers."""
    webhook = await webhook_of(call, webhook_id)
    tag(call, webhook.revision)
    return await shown_alone(call, WEBHOOKS, webhook, webhook_view)


@api.operation(
    "PATCH",
    "/webhooks/<webhook_id>",
    body=Json(WebhookChange),
    answer=Json(WebhookView),
    errors=(404,),
    condition=Condition.REVISION,
)
async def change_webhook(call: Call, webhook_id: str, body: WebhookChange) -> WebhookView:
    """Change a webhook. Its pending deliveries are retried at once."""
    webhook = await webhook_of(call, webhook_id)
    given = given_in(body)
    if "url" in given:
        given["url"] = _checked(call, given["url"])
    if "events" in given:
        given["events"] = _unique(given["events"])
    webhook = msgspec.structs.replace(webhook, **given)
    check_match(call, webhook.revision)
    changed = await _update(call, webhook, webhook.revision)
    note_soon(call, "webhook_changed", changed.url)
    tag(call, changed.revision)
    return webhook_view(changed)


@api.operation("DELETE", "/webhooks/<webhook_id>", status=204, errors=(404,))
async def delete_webhook(call: Call, webhook_id: str) -> None:
    """Delete a webhook with its pending deliveries."""
    webhook = await webhook_of(call, webhook_id)
    await call.service.store.delete_webhook(call.user.id, webhook_id)
    note_soon(call, "webhook_deleted", webhook.url)


@api.operation(
    "POST", "/webhooks/<webhook_id>/secret", answer=Json(NewWebhookSecret), errors=(404,)
)
async def renew_secret(call: Call, webhook_id: str) -> NewWebhookSecret:
    """Create a new signing secret. From now on it signs all deliveries, including pending ones."""
    webhook = await webhook_of(call, webhook_id)
    webhook = msgspec.structs.replace(webhook, secret=_new_secret(call))
    changed = await _update(call, webhook)
    note_soon(call, "webhook_secret_renewed", changed.url)
    return NewWebhookSecret(changed.secret)


@api.operation(
    "POST", "/webhooks/<webhook_id>/test", answer=Json(DeliveryView), status=202, errors=(404, 409)
)
async def test_webhook(call: Call, webhook_id: str) -> DeliveryView:
    """Send a `webhook.test` event. Its delivery shows what the receiver answered."""
    webhook = await webhook_of(call, webhook_id)
    news = trial_news(webhook, call.service.ids.uuid(), call.service.clock.now_us())
    return delivery_view(await call.service.changes.add_delivery(webhook, news))


@api.operation(
    "GET",
    "/webhooks/<webhook_id>/deliveries",
    query=DeliveriesQuery,
    answer=Json(Page[DeliveryView]),
    errors=(404,),
)
async def list_deliveries(
    call: Call, webhook_id: str, query: DeliveriesQuery
) -> Page[DeliveryView]:
    """List the deliveries of a webhook, newest first; `sort` takes type, state and attempts."""
    await webhook_of(call, webhook_id)
    state = some_of("state", query.state, STATES)
    return await listed(
        call, DELIVERIES, query, delivery_view, webhook_id=webhook_id, state=state, type=query.type
    )


@api.operation(
    "POST",
    "/webhooks/<webhook_id>/deliveries/<delivery_id>/retry",
    answer=Json(DeliveryView),
    status=202,
    errors=(404,),
)
async def retry_delivery(call: Call, webhook_id: str, delivery_id: str) -> DeliveryView:
    """Send a delivery again, whatever its state, with retries for another three days."""
    delivery = await call.service.changes.retry_delivery(
        call.user.id, webhook_id, delivery_id, call.service.clock.now_us()
    )
    if delivery is None:
        raise missing("delivery_id")
    return delivery_view(delivery)


async def webhook_of(call: Call, webhook_id: str) -> Webhook:
    """The user's webhook. Raises `NotFound`."""
    webhook = await call.service.store.webhook(call.user.id, webhook_id)
    if webhook is None:
        raise missing("webhook_id")
    return webhook


async def _update(call: Call, webhook: Webhook, known: int | None = None) -> Webhook:
    await call.service.changes.change_webhook(webhook, known)
    return await webhook_of(call, webhook.id)


def _checked(call: Call, url: str) -> str:
    """The URL, if it can be a target. What its host name resolves to is checked at every delivery.

    Raises:
        Invalid: it is not an HTTP URL, or its address is in a private network.
    """
    try:
        target = parse_target(url)
    except BadTarget as error:
        raise Invalid({"url": error.detail}) from None
    address = literal(target.host)
    if address is not None and not call.settings.webhooks_private and not is_public(target.host):
        raise Invalid({"url": Detail("url_private")})
    return url


def _unique(events: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(events))


def _new_secret(call: Call) -> str:
    return new_secret(call.service.ids.secret_bits())

"""REST calls for feeds: list, add, show, change, delete."""

import math

import msgspec

from protocol.device.feed_views import FeedChange, FeedView, NewFeed, feed_view
from protocol.device.values import Kind
from protocol.errors import Invalid
from protocol.ids import is_uuid
from protocol.problems.detail import Detail
from protocol.records import Feed
from protocol.rest.listing import FEEDS
from protocol.rest.shapes import Id, Page
from protocol.views import given_in
from web.api.devices import device_of
from web.http.context import Call
from web.http.listing import SearchQuery, listed, shown_alone, some_id, truth
from web.http.missing import missing
from web.http.operation import Condition, Json
from web.http.preconditions import check_match, tag
from web.http.routing import Api
from web.people.activity import note_soon

api = Api("feeds")


class FeedsQuery(SearchQuery, frozen=True, kw_only=True):
    """`q`: a part of a name or key; `has_device`: false for shared feeds and for feeds whose device
    was deleted."""

    device_id: Id | None = None
    kind: Kind | None = None
    has_device: bool | None = None


async def feed_of(call: Call, feed_id: str) -> Feed:
    """The user's feed. Raises `NotFound`."""
    feed = await call.service.store.feed(call.user.id, feed_id) if is_uuid(feed_id) else None
    if feed is None:
        raise missing("feed_id")
    return feed


@api.operation("GET", "/feeds", query=FeedsQuery, answer=Json(Page[FeedView]))
async def list_feeds(call: Call, query: FeedsQuery) -> Page[FeedView]:
    """List your feeds; `sort` takes created_at, name and key."""
    device_id = some_id("device_id", query.device_id)
    return await listed(
        call,
        FEEDS,
        query,
        feed_view,
        device_id=device_id,
        kind=query.kind,
        has_device=truth(query.has_device),
    )


@api.operation(
    "POST", "/feeds", body=Json(NewFeed), answer=Json(FeedView), status=201, errors=(404, 409)
)
async def add_feed(call: Call, body: NewFeed) -> FeedView:
    """Create a feed, for one device or (without `device_id`) for all your devices."""
    if body.key in ("ts", "id", "values"):
        raise Invalid({"key": Detail("key_reserved")})
    code = None
    device_id = some_id("device_id", body.device_id)
    if device_id is not None:
        code = (await device_of(call, device_id)).code
    feed = Feed(
        num=0,
        id=call.service.ids.uuid(),
        user_id=call.user.id,
        created_us=call.service.clock.now_us(),
        **(msgspec.structs.asdict(body) | {"device_id": device_id}),
    )
    _check_thresholds(feed)
    bounds = call.settings.bounds
    feed = await call.service.changes.add_feed(feed, code, bounds.feeds, bounds.feeds_of_device)
    note_soon(call, "feed_added", feed.key)
    return feed_view(feed)


@api.operation(
    "GET", "/feeds/<feed_id>", answer=Json(FeedView), errors=(404,), condition=Condition.REVISION
)
async def show_feed(call: Call, feed_id: str) -> FeedView:
    """Show a feed with its last value."""
    feed = await feed_of(call, feed_id)
    tag(call, feed.revision)
    return await shown_alone(call, FEEDS, feed, feed_view)


@api.operation(
    "PATCH",
    "/feeds/<feed_id>",
    body=Json(FeedChange),
    answer=Json(FeedView),
    errors=(404,),
    condition=Condition.REVISION,
)
async def change_feed(call: Call, feed_id: str, body: FeedChange) -> FeedView:
    """Change a feed. The new settings apply to every reading after the response."""
    feed = await feed_of(call, feed_id)
    given = given_in(body)
    if feed.archived and given.get("enabled"):
        raise Invalid({"enabled": Detail("feed_without_device")})
    feed = msgspec.structs.replace(feed, **given)
    _check_thresholds(feed)
    check_match(call, feed.revision)
    await call.service.changes.change_feed(feed)
    note_soon(call, "feed_changed", feed.key)
    tag(call, feed.revision + 1)
    return feed_view(feed)


@api.operation("DELETE", "/feeds/<feed_id>", status=204, errors=(404,))
async def delete_feed(call: Call, feed_id: str) -> None:
    """Delete a feed with its history."""
    feed = await feed_of(call, feed_id)
    await call.service.changes.delete_feed(feed, call.erasing())
    note_soon(call, "feed_deleted", feed.key)


def _check_thresholds(feed: Feed) -> None:
    low, high = feed.min_value, feed.max_value
    if feed.kind != "number" and (low is not None or high is not None):
        name = "min_value" if low is not None else "max_value"
        raise Invalid({name: Detail("number_feeds_only")})
    for name, value in (("min_value", low), ("max_value", high)):
        if value is not None and not math.isfinite(value):
            raise Invalid({name: Detail("not_finite")})
    if low is not None and high is not None and low > high:
        raise Invalid({"max_value": Detail("maximum_below_minimum")})

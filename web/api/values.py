"""REST calls for readings: list, chart, export, import, delete.

Times inside are µs since 1970.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import trio
from msgspec import UNSET, Meta
from quart import Response

from actors.ports.store import FeedPage
from protocol.device.feed_views import LatestView, ReadingView, latest_view, reading_view
from protocol.errors import Invalid, NotTaken
from protocol.ids import is_uuid
from protocol.problems.detail import Detail
from protocol.records import Feed
from protocol.rest import charts
from protocol.rest.charts import POINTS_MAX, Bucket
from protocol.rest.importing import ImportView, read_csv
from protocol.rest.listing import FEEDS
from protocol.rest.shapes import Deleted, Id, Limit, Page, Time
from protocol.times import FIRST_US, LAST_US, format_us
from web.api.exporting import exported, wanted_kind
from web.api.feeds import feed_of
from web.api.spans import DAY_S, civil_starts, instant, zone_in
from web.http.context import Call
from web.http.cursors import NUMBER_MAX, place_in
from web.http.examples import READINGS_EXAMPLE
from web.http.listing import shown_of
from web.http.operation import Csv, Json, Streamed
from web.http.paging import page
from web.http.routing import Api
from web.people.activity import note_soon

api = Api("readings")

FEEDS_MAX = 200
IMPORTED_AT_ONCE = 5_000
SHOWN_AT_ONCE = 2_000  # points of a chart


class TimesQuery(msgspec.Struct, frozen=True):
    """`start` is inclusive, `end` exclusive; both RFC 3339."""

    start: Time | None = None
    end: Time | None = None


class ValuesQuery(TimesQuery, frozen=True, kw_only=True):
    """With `bucket` (such as `15m`) or `max_points` the response is a chart. It has one point for
    each bucket with readings; `agg` selects from avg, min, max, sum and count. Buckets of a day and
    longer are civil days of the time zone `tz`."""

    limit: Limit | None = None
    cursor: str | None = None
    bucket: str | None = None
    agg: str = "avg,min,max"
    tz: str = "UTC"
    max_points: Annotated[int, Meta(ge=1, le=POINTS_MAX)] | None = None


class ValuesOfQuery(ValuesQuery, frozen=True, kw_only=True):
    feed_id: Id


class LatestQuery(msgspec.Struct, frozen=True):
    """`feed_ids`: up to 200, separated by commas."""

    feed_ids: str


@api.operation(
    "GET",
    "/feed-values/",
    query=ValuesOfQuery,
    answer=Streamed(Page[ReadingView]),
    errors=(404,),
)
async def list_values_of(call: Call, query: ValuesOfQuery) -> Page[ReadingView] | Response:
    """List the readings of the feed `feed_id`, newest first, or a chart of them."""
    return await _values(call, query.feed_id.lower(), query)


@api.operation("GET", "/feed-values/latest", query=LatestQuery, answer=Json(Page[LatestView]))
async def latest_values(call: Call, query: LatestQuery) -> Page[LatestView]:
    """List the last values of several feeds. Unknown feeds are left out."""
    asked = [part.strip().lower() for part in query.feed_ids.split(",")]
    if len(asked) > FEEDS_MAX or not all(is_uuid(each) for each in asked):
        raise Invalid({"feed_ids": Detail("too_many_ids", most=FEEDS_MAX)})
    found = await call.service.store.last_values(call.user.id, list(dict.fromkeys(asked)))
    shown = await shown_of(call, FEEDS, found, latest_view)
    return Page(shown, None, len(found) - len(shown) or UNSET)


@api.operation(
    "GET",
    "/feed-values/<feed_id>",
    query=ValuesQuery,
    answer=Streamed(Page[ReadingView]),
    errors=(404,),
)
async def list_values(call: Call, feed_id: str, query: ValuesQuery) -> Page[ReadingView] | Response:
    """List the readings of a feed, newest first, or a chart of them."""
    return await _values(call, feed_id, query)


@api.operation(
    "DELETE", "/feed-values/<feed_id>", query=TimesQuery, answer=Json(Deleted), errors=(404,)
)
async def delete_values(call: Call, feed_id: str, query: TimesQuery) -> Deleted:
    """Delete a feed's readings, all or those of a period. The feed is kept."""
    feed = await feed_of(call, feed_id)
    start_us, end_us = instant("start", query.start), instant("end", query.end)
    # Readings received before this request must be committed first, or they would not be deleted.
    await call.service.writer.barrier()
    async with call.erasing():
        many = await call.service.store.delete_history(feed.num, start_us, end_us)
    call.service.changes.change_history()
    note_soon(call, "history_deleted", Detail("log_readings", feed=feed.key, count=many))
    return Deleted(many)


@api.operation(
    "POST",
    "/feed-values/<feed_id>/import",
    body=Csv(READINGS_EXAMPLE),
    answer=Json(ImportView),
    errors=(404,),
)
async def import_values(call: Call, feed_id: str) -> ImportView:
    """Import readings from CSV with the columns `ts` and `value`.

    Invalid rows are listed in the response.
    """
    feed = await feed_of(call, feed_id)
    if call.request.mimetype != "text/csv":
        raise NotTaken(Detail("send_csv"))
    call.imports.check(call.user.id)
    device_num = await _device_num(call, feed)
    now_us = call.service.clock.now_us()
    content = await call.data()
    for imported in read_csv(content, feed, device_num, now_us):  # noqa: B007
        await trio.lowlevel.checkpoint()  # parsing a megabyte takes half a second
    call.imports.count(call.user.id, len(imported.readings), len(content))
    duplicate = 0
    for start in range(0, len(imported.readings), IMPORTED_AT_ONCE):
        chunk = imported.readings[start : start + IMPORTED_AT_ONCE]
        duplicate += await call.service.store.add_history(feed, chunk)
    if imported.readings:
        call.service.changes.change_history()
        said = Detail("log_readings", feed=feed.key, count=len(imported.readings))
        note_soon(call, "history_imported", said)
    return ImportView(
        stored=len(imported.readings) - duplicate,
        duplicate=duplicate,
        refused=imported.refused,
        errors=imported.errors,
    )


async def _device_num(call: Call, feed: Feed) -> int:
    """The number of the feed's device; 0 for a shared feed, or if the device was deleted."""
    if feed.device_id is None:
        return 0
    device = await call.service.store.device(call.user.id, feed.device_id)
    return 0 if device is None else device.num


async def _values(call: Call, feed_id: str, query: ValuesQuery) -> Page[ReadingView] | Response:
    feed = await feed_of(call, feed_id)
    kind = wanted_kind(call.request)
    is_chart = query.bucket is not None or query.max_points is not None
    start_us, end_us = instant("start", query.start), instant("end", query.end)
    zone = zone_in("tz", query.tz)
    if is_chart:
        names = charts.aggregates_of(query.agg)
        async with call.charting():
            points = await _chart(call, feed, query, start_us, end_us, zone)
        views = await _points(call, points[::-1][: query.limit], names)
        if kind is None:
            return Page(views)
        note_soon(call, "history_exported", feed.key)
        return await exported(call, kind, feed, views, ("ts", *names))
    asked = FeedPage(
        feed_num=feed.num,
        start_us=start_us,
        end_us=end_us,
        before=_place(query.cursor),
        limit=(query.limit or 100) + 1,
    )
    if kind is not None:
        note_soon(call, "history_exported", feed.key)
        return await exported(call, kind, feed, asked, ("ts", "value", "flagged"), query.limit)
    found = await call.service.store.feed_values(asked)
    return page(
        found,
        asked.limit - 1,
        reading_view,
        lambda each: (each.ts_us, each.device_num, each.digest),
    )


_place_in = msgspec.json.Decoder(tuple[int, int, int])


def _place(cursor: str | None) -> tuple[int, int, int] | None:
    if not cursor:
        return None
    try:
        ts_us, device_num, digest = place_in(_place_in, cursor)
        if not FIRST_US <= ts_us <= LAST_US or max(abs(device_num), abs(digest)) >= NUMBER_MAX:
            raise ValueError("no place that there may be")
    except ValueError:
        raise Invalid({"cursor": Detail("not_cursor")}) from None
    return ts_us, device_num, digest


async def _chart(
    call: Call,
    feed: Feed,
    query: ValuesQuery,
    start_us: int | None,
    end_us: int | None,
    zone: ZoneInfo | None,
) -> list[Bucket]:
    """Buckets in order of time. Without a start or an end, it is the first or the last reading.

    Raises:
        Invalid: it would be too many points, the feed is a text feed, or the bucket has no
            meaning in the zone.
    """
    bucket_s = None if query.bucket is None else charts.bucket_of(query.bucket)
    if zone is not None and bucket_s is not None and bucket_s > DAY_S and bucket_s % DAY_S:
        raise Invalid({"bucket": Detail("bucket_across_days")})
    if feed.kind == "text":
        name = "bucket" if bucket_s else "max_points"
        raise Invalid({name: Detail("no_text_charts")})
    bounds = await call.service.store.feed_bounds(feed.num)
    if bounds is None:
        return []
    start_us = max(bounds[0], FIRST_US if start_us is None else start_us)
    end_us = min(bounds[1] + 1, LAST_US if end_us is None else end_us)
    if start_us >= end_us:
        return []
    if bucket_s is None:
        bucket_s = charts.bucket_for(start_us, end_us, query.max_points or POINTS_MAX)
    elif charts.points_of(start_us, end_us, bucket_s) > POINTS_MAX:
        raise Invalid({"bucket": Detail("bucket_too_short", most=POINTS_MAX)})
    starts = await civil_starts(call, start_us, end_us, bucket_s, zone)
    if query.bucket is None and len(starts) > (query.max_points or POINTS_MAX):
        bucket_s *= 2  # the days of the zone touched one bucket more
        starts = await civil_starts(call, start_us, end_us, bucket_s, zone)
    return await call.service.store.feed_buckets(feed.num, start_us, end_us, bucket_s, starts)


async def _points(
    call: Call, buckets: Sequence[Bucket], names: tuple[str, ...]
) -> list[ReadingView]:
    """The views of buckets, in portions: ten thousand take a tenth of a second."""
    views: list[ReadingView] = []
    for start in range(0, len(buckets), SHOWN_AT_ONCE):
        portion = buckets[start : start + SHOWN_AT_ONCE]
        views += await call.think(partial(_shown, portion, names))
    return views


def _shown(buckets: Sequence[Bucket], names: tuple[str, ...]) -> list[ReadingView]:
    return [_point(bucket, names) for bucket in buckets]


def _point(bucket: Bucket, names: tuple[str, ...]) -> ReadingView:
    return ReadingView(
        ts=format_us(bucket.ts_us), **{name: getattr(bucket, name) for name in names}
    )

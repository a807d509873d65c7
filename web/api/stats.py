"""The REST call for the figures of a dashboard's first page. Times inside are µs since 1970."""

import msgspec

from protocol.errors import Invalid
from protocol.problems.detail import Detail
from protocol.rest import charts
from protocol.rest.charts import DAY_US
from protocol.rest.shapes import Time
from protocol.rest.stats import DashboardStats, ReadingStats, point_view, schedule_stats
from protocol.shop.views import day_view, stock_view, sums_view
from protocol.times import FIRST_US, SECOND_US, format_us
from web.api.media import stats_of_media
from web.api.orders import orders_by_day, zone_of_query
from web.api.spans import civil_starts, instant, zone_in
from web.http.context import Call
from web.http.operation import Json
from web.http.routing import Api

api = Api("dashboard")

POINTS = 240
SPAN_MAX_US = 3660 * DAY_US


class StatsQuery(msgspec.Struct, frozen=True):
    """The period of `feed_values`, `schedules` and `orders_by_day`; default: the last 24 hours.

    Orders and uploads are counted by civil days of the time zone `tz` (or `timezone`), orders of
    366 days at most; readings likewise, where their buckets are whole days.
    """

    start: Time | None = None
    end: Time | None = None
    tz: str | None = None
    timezone: str = "UTC"


@api.operation("GET", "/dashboard/stats", query=StatsQuery, answer=Json(DashboardStats))
async def dashboard_stats(call: Call, query: StatsQuery) -> DashboardStats:
    """Show figures about devices, orders, readings, media, schedules and products."""
    async with call.charting():
        return await _figures(call, query)


async def _figures(call: Call, query: StatsQuery) -> DashboardStats:
    store, user_id = call.service.store, call.user.id
    now_us = call.service.clock.now_us()
    start_us, end_us = _span(query, now_us)
    bucket_s = max(60, charts.bucket_for(start_us, end_us, POINTS))
    zone_name = zone_of_query(query)
    zone = zone_in("tz", zone_name)
    starts = await civil_starts(call, start_us, end_us, bucket_s, zone)
    since_us = max(FIRST_US, start_us - start_us % (bucket_s * SECOND_US))
    if starts:
        since_us = starts[0]
    # A period of n times 24 hours touches n + 1 civil days.
    days = min(366, max(1, (now_us - start_us) // DAY_US + 2))
    by_day = await orders_by_day(call, now_us, days, zone_name)
    counts = await store.dashboard_counts(user_id, start_us, end_us)
    return DashboardStats(
        total_devices=counts.devices,
        online_devices=counts.online,
        open_alarms=counts.open_alarms,
        recent_orders=sums_view(await store.order_sums(user_id, now_us - DAY_US, now_us + 1)),
        feed_values=ReadingStats(
            start=format_us(since_us),
            end=format_us(end_us),
            bucket_s=bucket_s,
            points=[
                point_view(bucket)
                for bucket in await store.user_buckets(user_id, since_us, end_us, bucket_s, starts)
            ],
        ),
        media=await stats_of_media(call, zone_name, zone),
        schedules=schedule_stats(counts),
        products=stock_view(await store.stock_sums(user_id)),
        orders_by_day=[day_view(day) for day in by_day],
    )


def _span(query: StatsQuery, now_us: int) -> tuple[int, int]:
    """Start and end (µs). Raises `Invalid` if the end is before the start or too far from it."""
    end_us = instant("end", query.end)
    start_us = instant("start", query.start)
    if end_us is None:
        end_us = now_us + 1 if start_us is None else max(now_us + 1, start_us + SECOND_US)
    if start_us is None:
        start_us = end_us - DAY_US
    if not 0 < end_us - start_us <= SPAN_MAX_US:
        raise Invalid({"end": Detail("window_of_years")})
    return start_us, end_us

"""The figures of a dashboard's first page (CONTRACT §2, `GET /dashboard/stats`)."""

import msgspec

from protocol.media.media import MediaStats
from protocol.rest.charts import Bucket
from protocol.shop.views import OrderDayView, OrderSumsView, ProductStats
from protocol.times import format_us, shown_us


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts from the store. `occurrences`: those due in the requested period, by state."""

    devices: int = 0
    online: int = 0
    open_alarms: int = 0
    schedules: int = 0
    enabled_schedules: int = 0
    occurrences: dict[str, int] = {}
    next_us: int | None = None


class PointView(msgspec.Struct, frozen=True, kw_only=True):
    ts: str
    count: int
    avg: float
    min: float
    max: float


class ReadingStats(msgspec.Struct, frozen=True, kw_only=True):
    """All number and bool readings, in buckets of `bucket_s` seconds; empty ones are left out."""

    start: str
    end: str
    bucket_s: int
    points: list[PointView]


class ScheduleStats(msgspec.Struct, frozen=True, kw_only=True):
    """`occurrences`: those due in the requested period, by state."""

    count: int
    enabled: int
    next_at: str | None
    occurrences: dict[str, int]


class DashboardStats(msgspec.Struct, frozen=True, kw_only=True):
    total_devices: int
    online_devices: int
    open_alarms: int
    recent_orders: OrderSumsView
    feed_values: ReadingStats
    media: MediaStats
    schedules: ScheduleStats
    products: ProductStats
    orders_by_day: list[OrderDayView]


def point_view(bucket: Bucket) -> PointView:
    return PointView(
        ts=format_us(bucket.ts_us),
        count=bucket.count,
        avg=bucket.avg,
        min=bucket.min,
        max=bucket.max,
    )


def schedule_stats(counts: Counts) -> ScheduleStats:
    return ScheduleStats(
        count=counts.schedules,
        enabled=counts.enabled_schedules,
        next_at=shown_us(counts.next_us),
        occurrences=counts.occurrences,
    )

"""Request and response bodies about feeds and readings (CONTRACT §2)."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.device.alarms import AT_ONCE, AlarmRule
from protocol.device.values import Kind, Value
from protocol.records import RETAIN_DAYS_MAX, Feed, StoredReading
from protocol.rest.patterns import LINE, WHOLE_KEY
from protocol.rest.shapes import Id, Name
from protocol.times import format_us, shown_us
from protocol.views import view_of

Unit = Annotated[str, Meta(max_length=32, pattern=LINE)]
Key = Annotated[str, Meta(pattern=WHOLE_KEY)]
RetainDays = Annotated[int, Meta(ge=1, le=RETAIN_DAYS_MAX)]
OnViolation = Literal["reject", "flag"]


class NewFeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: Key
    name: Name
    device_id: Id | None = None
    unit: Unit | None = None
    kind: Kind = "number"
    enabled: bool = True
    min_value: float | None = None
    max_value: float | None = None
    on_violation: OnViolation = "reject"
    alarm: AlarmRule = AT_ONCE
    retain_days: RetainDays | None = None


class FeedChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name | UnsetType = UNSET
    unit: Unit | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    min_value: float | UnsetType | None = UNSET
    max_value: float | UnsetType | None = UNSET
    on_violation: OnViolation | UnsetType = UNSET
    alarm: AlarmRule | UnsetType = UNSET
    retain_days: RetainDays | UnsetType | None = UNSET


class FeedView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    key: str
    name: str
    device_id: str | None
    unit: str | None
    kind: Kind
    enabled: bool
    min_value: float | None
    max_value: float | None
    on_violation: str
    alarm: AlarmRule
    archived: bool
    retain_days: int | None
    created_at: str
    last_value: Value | None
    last_value_at: str | None


def feed_view(feed: Feed) -> FeedView:
    return view_of(FeedView, feed, last_value_at=shown_us(feed.last_us))


class ReadingView(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A reading with its `value`, or a bucket that begins at `ts` with the requested aggregates.

    `sum` is null if it is beyond float64.
    """

    ts: str
    value: Value | UnsetType = UNSET
    flagged: bool = False
    avg: float | UnsetType = UNSET
    min: float | UnsetType = UNSET
    max: float | UnsetType = UNSET
    sum: float | UnsetType | None = UNSET
    count: int | UnsetType = UNSET


def reading_view(reading: StoredReading) -> ReadingView:
    return ReadingView(ts=format_us(reading.ts_us), value=reading.value, flagged=reading.flagged)


class LatestView(msgspec.Struct, frozen=True, kw_only=True):
    """The last value of a feed; null if it has none."""

    feed_id: str
    feed_key: str
    device_id: str | None
    unit: str | None
    value: Value | None
    ts: str | None


def latest_view(feed: Feed) -> LatestView:
    return LatestView(
        feed_id=feed.id,
        feed_key=feed.key,
        device_id=feed.device_id,
        unit=feed.unit,
        value=feed.last_value,
        ts=None if feed.last_us is None else format_us(feed.last_us),
    )

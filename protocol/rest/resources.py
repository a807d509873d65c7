"""Request and response bodies of the REST API (CONTRACT §2). Times are RFC 3339 texts, ids UUIDs.

Requests with unknown fields are refused. In a PATCH, an absent field (`UNSET`) stays as it is.
"""

from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.device.alarms import AT_ONCE, AlarmRule
from protocol.device.refusals import StoredRejection
from protocol.device.topics import DEVICE_CODE, FEED_KEY
from protocol.device.values import Kind, Value
from protocol.errors import Reason
from protocol.events import DeviceView, device_view
from protocol.people.user import User
from protocol.records import RETAIN_DAYS_MAX, Device, Feed, Flood, StoredReading
from protocol.times import format_us, shown_us
from protocol.views import view_of

T = TypeVar("T")

# The formats are for readers of the OpenAPI document; the handlers check them.
Id = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
# PostgreSQL cannot hold U+0000. Only a mail shows whether an address works, so its grammar is lax.
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*\Z")]
Email = Annotated[str, Meta(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+\Z")]
Password = Annotated[str, Meta(min_length=8, max_length=256)]
Unit = Annotated[str, Meta(max_length=32, pattern=r"^[^\x00]*\Z")]
Code = Annotated[str, Meta(pattern=rf"^{DEVICE_CODE}\Z")]
Key = Annotated[str, Meta(pattern=rf"^{FEED_KEY}\Z")]
OfflineAfter = Annotated[int, Meta(ge=1, le=30 * 24 * 3600)]
Limit = Annotated[int, Meta(ge=1, le=1000)]
RetainDays = Annotated[int, Meta(ge=1, le=RETAIN_DAYS_MAX)]
OnViolation = Literal["reject", "flag"]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list. `next` is the cursor of the next page, null on the last. `unreadable`:
    how many rows of this page are damaged and left out; the operator's dead letters say why."""

    items: list[T]
    next: str | None = None
    unreadable: int | UnsetType = UNSET


# People


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    email: str
    password: str


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    email: Email
    password: Password
    full_name: Name | None = None


class UserChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new password or email needs `current_password`."""

    full_name: Name | UnsetType | None = UNSET
    email: Email | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    current_password: str | UnsetType = UNSET


class ZaloCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code from Zalo's page; `code_verifier` if sign-in began with a challenge (PKCE)."""

    code: Annotated[str, Meta(min_length=1, max_length=2048)]
    code_verifier: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class Token(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: int
    token_type: str = "bearer"


class UserView(msgspec.Struct, frozen=True):
    """`idp`: the identity provider; `roost` for a password."""

    id: str
    email: str | None
    full_name: str | None
    created_at: str
    idp: str


def user_view(user: User) -> UserView:
    return UserView(user.id, user.email, user.full_name, format_us(user.created_us), user.idp)


# Devices


class NewDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    device_code: Code
    name: Name
    offline_after_s: OfflineAfter = 300
    offline_alarm: bool = True


class DeviceChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name | UnsetType = UNSET
    offline_after_s: OfflineAfter | UnsetType = UNSET
    offline_alarm: bool | UnsetType = UNSET


class FloodView(msgspec.Struct, frozen=True, kw_only=True):
    """The last time since this server started that the device was disconnected for flooding: when
    (`at`), and when it may come back (`retry_at`)."""

    at: Time
    retry_at: Time
    messages_per_s: int
    reason: str


class DeviceResource(DeviceView, frozen=True, kw_only=True):
    """`Device` of CONTRACT §3 with its settings."""

    offline_after_s: int
    offline_alarm: bool
    created_at: str
    flood: FloodView | None = None


class MqttAccess(msgspec.Struct, frozen=True):
    """The device's MQTT login; shown once."""

    username: str
    password: str
    client_id: str
    topic_prefix: str
    url: str | None = None


class DeviceCreated(DeviceResource, frozen=True, kw_only=True):
    mqtt: MqttAccess


class NewCredentials(msgspec.Struct, frozen=True):
    mqtt: MqttAccess


def flood_view(flood: Flood) -> FloodView:
    return FloodView(
        at=format_us(flood.at_us),
        retry_at=format_us(flood.until_us),
        messages_per_s=flood.messages_per_s,
        reason=Reason.TOO_FAST,
    )


def device_resource(device: Device, flood: Flood | None = None) -> DeviceResource:
    return view_of(
        DeviceResource,
        device,
        **msgspec.structs.asdict(device_view(device)),
        flood=None if flood is None else flood_view(flood),
    )


def device_created(device: Device, mqtt: MqttAccess) -> DeviceCreated:
    return DeviceCreated(**msgspec.structs.asdict(device_resource(device)), mqtt=mqtt)


class AccountView(msgspec.Struct, frozen=True):
    """What became of a device's readings since this server started (invariant I4). `limited`: above
    the rate of the device or its user, counted and not kept. `refusals_not_kept`: refusals beyond
    the budget, counted since the device was created, or since thirty days without one."""

    received: int
    stored: int
    duplicate: int
    refused: int
    limited: int
    shed: int
    unowned: int
    in_flight: int
    refusals_not_kept: int = 0
    refusals_not_kept_at: str | None = None


# Feeds and readings


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


class Deleted(msgspec.Struct, frozen=True):
    """How many were deleted."""

    deleted: int


class RejectionView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    received_at: str
    device_id: str | None
    topic: str
    payload: str
    encoding: str
    reason: str
    detail: str


def rejection_view(stored: StoredRejection) -> RejectionView:
    return view_of(RejectionView, stored)


class ProblemView(msgspec.Struct, frozen=True, kw_only=True):
    """An error (RFC 9457); `errors` by field for 422."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: dict[str, str] | UnsetType = UNSET


class Readiness(msgspec.Struct, frozen=True):
    status: Literal["ready", "degraded", "not ready", "standby"]
    checks: dict[str, str]

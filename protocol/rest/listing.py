"""Lists that can be sorted, filtered and read page by page, each described once.

Both stores and REST read these descriptions: what a list can be sorted and filtered by, and which
field of the record that is.

A position in a list is the value by which it is sorted, as text, and the number of the row. So rows
that are added or deleted between two pages shift nothing.
"""

import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Generic, Literal, TypeVar, get_args

import msgspec

from protocol.device.alarms import Alarm
from protocol.device.commands import Command
from protocol.device.refusals import StoredRejection
from protocol.media.media import Media
from protocol.people.access import ApiKey
from protocol.people.people import AuditEntry, Session
from protocol.records import Device, Feed
from protocol.schedule.schedules import Occurrence, Schedule
from protocol.shop.shop import Order, Product
from protocol.webhook.deliveries import Webhook, WebhookDelivery

T = TypeVar("T")

CREATED = "created_at"
NEWEST = "-created_at"
NUMBER = "num"  # of a row; it grows with each new row
WEBHOOK_ID = "webhook_id"

# How values are compared: texts by their code points; times (µs since 1970) so that missing ones
# come first.
Kind = Literal["text", "integer", "decimal", "time"]


class UnreadableRow(msgspec.Struct, frozen=True):
    """Stands for a row that cannot be read; all others of its list are shown."""

    num: int


class ListOf(msgspec.Struct, Generic[T], frozen=True):
    """A list that the store has for each user.

    Attributes:
        record: the type of its items.
        sorts: the names that it can be sorted by, and the path of each in a record
            (`state.status`); every order ends with the number of the row.
        filters: likewise the names that it can be filtered by.
        texts: the fields that `q` searches.
        usual: the default order.
    """

    name: str
    record: type[T]
    sorts: Mapping[str, str]
    filters: Mapping[str, str] = {}
    texts: tuple[str, ...] = ()
    usual: str = CREATED

    def kind(self, sort: str) -> Kind:
        record: Any = self.record
        return _kind(record, self.sorts[sort])


@cache
def _kind(record: Any, path: str) -> Kind:
    """By the type of the field, and for times by its name."""
    kind = record
    for name in path.split("."):
        kind = next(each.type for each in msgspec.structs.fields(kind) if each.name == name)
    if path.endswith("_us"):
        return "time"
    types = get_args(kind) or (kind,)
    if Decimal in types:
        return "decimal"
    return "integer" if int in types else "text"


def folded(text: str) -> str:
    """A text as `q` compares it: in lower case, and without accents. "ho guom" finds "Hồ Gươm"."""
    return unicodedata.normalize("NFD", text).translate(_FOLDED).lower()


# Without the combining marks of Latin, Greek and Cyrillic letters, and of a letter that has none.
_FOLDED = dict.fromkeys(range(0x300, 0x370)) | str.maketrans("Đđ", "dd")


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A query for a page.

    Attributes:
        sort: one of the list's `sorts`.
        after: the position (value as text, number) after which the page begins.
        q: a part of a name, whatever its case and accents.
        filters: by names of the list's `filters`, the accepted values.
    """

    limit: int
    sort: str = CREATED
    descending: bool = False
    after: tuple[str, int] | None = None
    q: str | None = None
    filters: dict[str, tuple[str, ...]] = {}

    def behind(self, value: str, num: int) -> "Listing":
        """The page that follows the row with this value and number."""
        return msgspec.structs.replace(self, after=(value, num))


def _same(*names: str) -> dict[str, str]:
    """Fields with the same name as in the list."""
    return {name: name for name in names}


_BY_CREATION = {CREATED: NUMBER}

DEVICES = ListOf(
    "devices",
    Device,
    {
        **_BY_CREATION,
        "name": "name",
        "device_code": "code",
        "status": "state.status",
        "last_seen": "state.last_seen_us",
    },
    {"status": "presence"},
    ("name", "code"),
)
FEEDS = ListOf(
    "feeds",
    Feed,
    _BY_CREATION | _same("name", "key"),
    _same("device_id", "kind", "has_device"),
    ("name", "key"),
)
REJECTIONS = ListOf(
    "rejected-messages",
    StoredRejection,
    _BY_CREATION | _same("reason", "topic"),
    _same("device_id", "reason"),
    ("topic", "detail"),
    NEWEST,
)
MEDIA = ListOf(
    "media",
    Media,
    _BY_CREATION | _same("filename", "content_type", "size"),
    _same("content_type"),
    ("filename",),
    NEWEST,
)
SCHEDULES = ListOf(
    "media-schedules",
    Schedule,
    {**_BY_CREATION, "trigger_time": "trigger_us", "next_due_at": "next_us"},
    _same("device_id", "media_id", "enabled"),
)
OCCURRENCES = ListOf(
    "occurrences",
    Occurrence,
    {"due_at": "due_us", "state": "state"},
    _same("schedule_id", "state"),
    usual="-due_at",
)
COMMANDS = ListOf(
    "commands",
    Command,
    {**_BY_CREATION, **_same("type", "state"), "expires_at": "expires_us"},
    _same("device_id", "state", "type"),
    usual=NEWEST,
)
ALARMS = ListOf(
    "alarms",
    Alarm,
    {**_BY_CREATION, "since": "since_us", **_same("severity", "state")},
    _same("state", "device_id", "feed_id", "severity", "kind", "acknowledged"),
    usual=NEWEST,
)
WEBHOOKS = ListOf(
    "webhooks",
    Webhook,
    _BY_CREATION | _same("url", "failures"),
    _same("enabled"),
    ("url", "description"),
)
DELIVERIES = ListOf(
    "deliveries",
    WebhookDelivery,
    _BY_CREATION | _same("type", "state", "attempts"),
    _same(WEBHOOK_ID, "state", "type"),
    usual=NEWEST,
)
SESSIONS = ListOf(
    "sessions",
    Session,
    {**_BY_CREATION, "expires_at": "expires_us", "address": "address"},
    texts=("address", "agent"),
    usual=NEWEST,
)
AUDIT = ListOf(
    "audit-log",
    AuditEntry,
    _BY_CREATION | _same("action", "address"),
    _same("action"),
    ("subject", "address"),
    NEWEST,
)
API_KEYS = ListOf(
    "api-keys",
    ApiKey,
    {**_BY_CREATION, "name": "name", "last_used_at": "last_used_us"},
    _same("scope"),
    ("name", "prefix"),
)
PRODUCTS = ListOf(
    "products",
    Product,
    _BY_CREATION | _same("name", "sku", "price", "stock"),
    _same("sku", "in_stock"),
    ("name", "sku"),
)
ORDERS = ListOf(
    "orders",
    Order,
    {**_BY_CREATION, "total": "total", "status": "state"},
    {"status": "state"},
    usual=NEWEST,
)
LISTS: tuple[ListOf[Any], ...] = (
    *(DEVICES, FEEDS, REJECTIONS, MEDIA, SCHEDULES, OCCURRENCES, COMMANDS, ALARMS, WEBHOOKS),
    *(DELIVERIES, SESSIONS, AUDIT, API_KEYS, PRODUCTS, ORDERS),
)

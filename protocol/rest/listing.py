"""Lists that can be sorted, filtered and read page by page.

A place in a list is the value it is sorted by, as text, and the number of the row: rows that come
and go between two pages move nothing.
"""

from typing import Generic, TypeVar

import msgspec

from protocol.device.alarms import Alarm
from protocol.device.commands import Command
from protocol.people.access import ApiKey
from protocol.people.people import AuditEntry, Session
from protocol.records import Device, Feed, Media, StoredRejection
from protocol.schedule.schedules import Occurrence, Schedule
from protocol.shop.shop import Order, Product
from protocol.webhook.deliveries import Webhook, WebhookDelivery

T = TypeVar("T")

CREATED = "created_at"
NEWEST = "-created_at"


class UnreadableRow(msgspec.Struct, frozen=True):
    """In the place of a row that nobody can read: all others of its list are shown."""

    num: int


class ListOf(msgspec.Struct, Generic[T], frozen=True):
    """A list that the store has for each user.

    Attributes:
        sorts: names that it can be sorted by; all orders end with the number of the row.
        filters: names that it can be filtered by.
        usual: its order when nobody asks for another.
    """

    name: str
    sorts: tuple[str, ...]
    filters: tuple[str, ...] = ()
    usual: str = CREATED


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A question for a page.

    Attributes:
        sort: one of the list's `sorts`.
        after: the place (value as text, number) behind which the page begins.
        q: a part of a name, whatever its case.
        filters: by names of the list's `filters`, the values that one's may be any of.
    """

    limit: int
    sort: str = CREATED
    descending: bool = False
    after: tuple[str, int] | None = None
    q: str | None = None
    filters: dict[str, tuple[str, ...]] = {}


# `status` is offline, or online for every other word of a device.
DEVICES: ListOf[Device] = ListOf(
    "devices", (CREATED, "name", "device_code", "status", "last_seen"), ("status",)
)
FEEDS: ListOf[Feed] = ListOf("feeds", (CREATED, "name", "key"), ("device_id", "kind"))
REJECTIONS: ListOf[StoredRejection] = ListOf(
    "rejected-messages", (CREATED, "reason", "topic"), ("device_id", "reason"), NEWEST
)
MEDIA: ListOf[Media] = ListOf(
    "media", (CREATED, "filename", "content_type", "size"), ("content_type",), NEWEST
)
SCHEDULES: ListOf[Schedule] = ListOf(
    "media-schedules",
    (CREATED, "trigger_time", "next_due_at"),
    ("device_id", "media_id", "enabled"),
)
OCCURRENCES: ListOf[Occurrence] = ListOf(
    "occurrences", ("due_at", "state"), ("schedule_id", "state"), "-due_at"
)
COMMANDS: ListOf[Command] = ListOf(
    "commands", (CREATED, "type", "state", "expires_at"), ("device_id", "state", "type"), NEWEST
)
ALARMS: ListOf[Alarm] = ListOf(
    "alarms",
    (CREATED, "since", "severity", "state"),
    ("state", "device_id", "severity", "kind"),
    NEWEST,
)
WEBHOOKS: ListOf[Webhook] = ListOf("webhooks", (CREATED, "url", "failures"), ("enabled",))
DELIVERIES: ListOf[WebhookDelivery] = ListOf(
    "deliveries", (CREATED, "type", "state", "attempts"), ("webhook_id", "state", "type"), NEWEST
)
SESSIONS: ListOf[Session] = ListOf("sessions", (CREATED, "expires_at", "address"), usual=NEWEST)
AUDIT: ListOf[AuditEntry] = ListOf("audit-log", (CREATED, "action", "address"), ("action",), NEWEST)
API_KEYS: ListOf[ApiKey] = ListOf("api-keys", (CREATED, "name", "last_used_at"), ("scope",))
PRODUCTS: ListOf[Product] = ListOf(
    "products", (CREATED, "name", "sku", "price", "stock"), ("sku", "in_stock")
)
ORDERS: ListOf[Order] = ListOf("orders", (CREATED, "total", "status"), ("status",), NEWEST)
LISTS = (
    *(DEVICES, FEEDS, REJECTIONS, MEDIA, SCHEDULES, OCCURRENCES, COMMANDS, ALARMS, WEBHOOKS),
    *(DELIVERIES, SESSIONS, AUDIT, API_KEYS, PRODUCTS, ORDERS),
)

"""Sorted and filtered lists in the store's twin."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from actors.adapters.memory.store.tables import Tables
from actors.runtime.clock import WallClock
from protocol.dead_letters import ROWS, DeadLetter, row_of, subject_of_row
from protocol.device.alarms import PENDING
from protocol.records import OFFLINE, Device
from protocol.rest.listing import CREATED, DELIVERIES, Listing, ListOf, UnreadableRow
from protocol.webhook.deliveries import Webhook

T = TypeVar("T")
Read = Callable[[Any], Any]


def _is_online(device: Device) -> str:
    return "offline" if device.state.status == OFFLINE else "online"


def _maybe(name: str) -> Read:
    """Where there is none, it comes first."""
    return lambda item: getattr(item, name) or 0


def _truth(name: str) -> Read:
    return lambda item: "true" if getattr(item, name) else "false"


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is found in the tables, as `postgres.nouns.Noun` is for the database.

    Attributes:
        rows: the user's, from the store's tables.
        texts: where `q` is looked for.
    """

    rows: Callable[[Any, str], Iterable[Any]]
    sorts: dict[str, Read] = {}
    texts: tuple[str, ...] = ()
    filters: dict[str, Read] = {}


def _rows(table: str) -> Callable[[Any, str], Iterable[Any]]:
    return lambda tables, user_id: [
        item for item in getattr(tables, table).values() if item.user_id == user_id
    ]


def _same(*names: str) -> dict[str, Read]:
    """Fields that are called as the list calls them."""
    return {name: attrgetter(name) for name in names}


SHELVES = {
    "devices": Shelf(
        rows=_rows("_devices"),
        sorts={
            "name": attrgetter("name"),
            "device_code": attrgetter("code"),
            "status": attrgetter("state.status"),
            "last_seen": lambda d: d.state.last_seen_us or 0,
        },
        texts=("name", "code"),
        filters={"status": _is_online},
    ),
    "feeds": Shelf(
        rows=_rows("_feeds"),
        sorts=_same("name", "key"),
        texts=("name", "key"),
        filters=_same("device_id", "kind"),
    ),
    "rejected-messages": Shelf(
        rows=lambda t, user: [stored for owner, stored in t._rejections if owner == user],
        sorts=_same("reason", "topic"),
        texts=("topic", "detail"),
        filters=_same("device_id", "reason"),
    ),
    "media": Shelf(
        rows=_rows("_media"),
        sorts=_same("filename", "content_type", "size"),
        texts=("filename",),
        filters=_same("content_type"),
    ),
    "media-schedules": Shelf(
        rows=lambda t, user: [t._seen(s) for s in t.all_schedules() if s.user_id == user],
        sorts={"trigger_time": attrgetter("trigger_us"), "next_due_at": _maybe("next_us")},
        filters={**_same("device_id", "media_id"), "enabled": _truth("enabled")},
    ),
    "occurrences": Shelf(
        rows=_rows("all_occurrences"),
        sorts={"due_at": attrgetter("due_us"), "state": attrgetter("state")},
        filters=_same("schedule_id", "state"),
    ),
    "commands": Shelf(
        rows=_rows("all_commands"),
        sorts={**_same("type", "state"), "expires_at": attrgetter("expires_us")},
        filters=_same("device_id", "state", "type"),
    ),
    "alarms": Shelf(
        rows=lambda t, user: [
            a for a in t.all_alarms.values() if a.user_id == user and a.state != PENDING
        ],
        sorts={**_same("severity", "state"), "since": attrgetter("since_us")},
        filters=_same("state", "device_id", "severity", "kind"),
    ),
    "webhooks": Shelf(
        rows=_rows("all_webhooks"),
        sorts=_same("url", "failures"),
        texts=("url", "description"),
        filters={"enabled": _truth("enabled")},
    ),
    "deliveries": Shelf(
        rows=lambda t, user: [
            d for d in t.all_deliveries.values() if t.all_webhooks[d.webhook_num].user_id == user
        ],
        sorts=_same("type", "state", "attempts"),
        filters=_same("webhook_num", "type", "state"),
    ),
    "sessions": Shelf(
        rows=_rows("all_sessions"),
        sorts={"expires_at": attrgetter("expires_us"), "address": attrgetter("address")},
        texts=("address", "agent"),
    ),
    "audit-log": Shelf(
        rows=lambda t, user: [entry for entry in t._audit if entry.user_id == user],
        sorts=_same("action", "address"),
        texts=("subject", "address"),
        filters=_same("action"),
    ),
    "api-keys": Shelf(
        rows=_rows("_keys"),
        sorts={"name": attrgetter("name"), "last_used_at": _maybe("last_used_us")},
        texts=("name", "prefix"),
        filters=_same("scope"),
    ),
    "products": Shelf(
        rows=_rows("all_products"),
        sorts=_same("name", "sku", "price", "stock"),
        texts=("name", "sku"),
        filters={"sku": attrgetter("sku"), "in_stock": _truth("stock")},
    ),
    "orders": Shelf(
        rows=_rows("all_orders"),
        sorts={"total": attrgetter("total"), "status": attrgetter("state")},
        filters={"status": attrgetter("state")},
    ),
}


class ListTables(Tables):
    """See `actors.ports.listing.ListStore`."""

    all_webhooks: dict[int, Webhook]
    all_dead_letters: dict[tuple[str, str], DeadLetter]
    unreadable: dict[tuple[str, int], str]
    _put_aside: Callable[..., int | None]

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)

    async def listed(
        self, noun: ListOf[T], user_id: str, asked: Listing
    ) -> list[tuple[str, T | UnreadableRow]]:
        await self._cross()
        shelf = SHELVES[noun.name]
        if noun is DELIVERIES:
            asked = self._by_number(asked)
        page = _page(shelf, shelf.rows(self, user_id), asked)
        return [(place, self._readable(noun.name, user_id, item)) for place, item in page]

    def _readable(self, noun: str, user_id: str, item: Any) -> Any:
        """The item, unless it is one that nobody can read."""
        reason = self.unreadable.get((noun, item.num))
        if reason is None:
            return item
        self._note_unreadable(noun, item.num, user_id, reason)
        return UnreadableRow(item.num)

    def _all_readable(self, noun: str, user_id: str, items: list[Any]) -> list[Any]:
        found = [self._readable(noun, user_id, item) for item in items]
        return [item for item in found if not isinstance(item, UnreadableRow)]

    async def note_unreadable(self, noun: str, num: int, user_id: str, reason: str) -> None:
        await self._cross()
        self._note_unreadable(noun, num, user_id, reason)

    async def read_row_again(self, subject: str, user_id: str) -> None:
        await self._cross()
        noun, num = row_of(subject)
        rows = SHELVES[noun].rows(self, user_id)
        found = [self._readable(noun, user_id, item) for item in rows if item.num == num]
        if not any(isinstance(item, UnreadableRow) for item in found):
            self.all_dead_letters.pop((ROWS, subject), None)

    def _note_unreadable(self, noun: str, num: int, user_id: str, reason: str) -> None:
        subject, now_us = subject_of_row(noun, num), self._clock.now_us()
        known = self.all_dead_letters.get((ROWS, subject))
        if known is None or known.next_try_us <= now_us:
            self._put_aside(ROWS, subject, reason, now_us, user_id)

    def _by_number(self, asked: Listing) -> Listing:
        """Deliveries know their webhook by its number."""
        ids = asked.filters.get("webhook_id")
        if ids is None:
            return asked
        others = {name: values for name, values in asked.filters.items() if name != "webhook_id"}
        nums = tuple(num for num, webhook in self.all_webhooks.items() if webhook.id in ids)
        return msgspec.structs.replace(asked, filters={**others, "webhook_num": nums})


def _page(shelf: Shelf, rows: Iterable[Any], asked: Listing) -> list[tuple[str, Any]]:
    key: Read = attrgetter("num") if asked.sort == CREATED else shelf.sorts[asked.sort]

    def place(item: Any) -> tuple[Any, int]:
        return key(item), item.num

    def is_asked_for(item: Any) -> bool:
        part = asked.q
        if part is not None:
            texts = [getattr(item, name).lower() for name in shelf.texts]
            if not any(part.lower() in text for text in texts):
                return False
        return all(shelf.filters[name](item) in values for name, values in asked.filters.items())

    found = sorted(filter(is_asked_for, rows), key=place, reverse=asked.descending)
    if asked.after is not None:
        after = _typed(found, key, asked.after[0]), asked.after[1]
        if asked.descending:
            found = [item for item in found if place(item) < after]
        else:
            found = [item for item in found if place(item) > after]
    return [(str(key(item)), item) for item in found[: asked.limit]]


def _typed(found: list[Any], key: Read, text: str) -> Any:
    """The value of a place, of the type that the list is sorted by."""
    if not found or isinstance(key(found[0]), str):
        return text
    return Decimal(text)

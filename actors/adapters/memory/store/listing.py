"""Sorted and filtered lists in the store's twin."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from operator import attrgetter
from typing import Any, TypeVar

from actors.adapters.memory.store.tables import Tables
from actors.runtime.clock import WallClock
from protocol.dead_letters import ROWS, DeadLetter, row_of, subject_of_row
from protocol.device.alarms import PENDING
from protocol.errors import Unreadable
from protocol.rest.listing import WEBHOOK_ID, Listing, ListOf, UnreadableRow, folded
from protocol.webhook.deliveries import Webhook

T = TypeVar("T")
Rows = Callable[[Any, str], Iterable[Any]]


def _rows(table: str) -> Rows:
    return lambda tables, user_id: [
        item for item in getattr(tables, table).values() if item.user_id == user_id
    ]


# The rows of a user, by the names of lists.
ROWS_OF: dict[str, Rows] = {
    "devices": _rows("_devices"),
    "feeds": _rows("_feeds"),
    "rejected-messages": lambda t, user: [row for owner, row in t._rejections if owner == user],
    "media": _rows("_media"),
    "media-schedules": lambda t, user: [t._seen(s) for s in t.all_schedules() if s.user_id == user],
    "occurrences": _rows("all_occurrences"),
    "commands": _rows("all_commands"),
    "alarms": lambda t, user: [
        a for a in t.all_alarms.values() if a.user_id == user and a.state != PENDING
    ],
    "webhooks": _rows("all_webhooks"),
    "deliveries": lambda t, user: [
        d for d in t.all_deliveries.values() if t.all_webhooks[d.webhook_num].user_id == user
    ],
    "sessions": _rows("all_sessions"),
    "audit-log": lambda t, user: [entry for entry in t._audit if entry.user_id == user],
    "api-keys": _rows("_keys"),
    "products": _rows("all_products"),
    "orders": _rows("all_orders"),
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
        rows = ROWS_OF[noun.name](self, user_id)
        ids = asked.filters.get(WEBHOOK_ID)
        if ids is not None:
            # Deliveries refer to their webhook by its number.
            rows = [row for row in rows if self.all_webhooks[row.webhook_num].id in ids]
        page = _page(noun, rows, asked)
        return [(place, self._readable(noun.name, user_id, item)) for place, item in page]

    def _readable(self, noun: str, user_id: str, item: Any) -> Any:
        """The item, unless it is one that cannot be read."""
        reason = self.unreadable.get((noun, item.num))
        if reason is None:
            return item
        self._note_unreadable(noun, item.num, user_id, reason)
        return UnreadableRow(item.num)

    def _one(self, noun: str, item: Any, user_id: str | None = None) -> Any:
        """A record that is asked for alone, if it is that user's. Raises `Unreadable`."""
        if item is None or user_id not in (None, item.user_id):
            return None
        if isinstance(self._readable(noun, item.user_id, item), UnreadableRow):
            raise Unreadable(self.unreadable[noun, item.num])
        return item

    def _all_readable(self, noun: str, user_id: str, items: list[Any]) -> list[Any]:
        found = [self._readable(noun, user_id, item) for item in items]
        return [item for item in found if not isinstance(item, UnreadableRow)]

    async def note_unreadable(self, noun: str, num: int, user_id: str, reason: str) -> None:
        await self._cross()
        self._note_unreadable(noun, num, user_id, reason)

    async def read_row_again(self, subject: str, user_id: str) -> None:
        await self._cross()
        noun, num = row_of(subject)
        rows = ROWS_OF[noun](self, user_id)
        found = [self._readable(noun, user_id, item) for item in rows if item.num == num]
        if not any(isinstance(item, UnreadableRow) for item in found):
            self.all_dead_letters.pop((ROWS, subject), None)

    def _note_unreadable(self, noun: str, num: int, user_id: str, reason: str) -> None:
        subject, now_us = subject_of_row(noun, num), self._clock.now_us()
        known = self.all_dead_letters.get((ROWS, subject))
        if known is None or known.next_try_us <= now_us:
            self._put_aside(ROWS, subject, reason, now_us, user_id)


def _page(noun: ListOf[Any], rows: Iterable[Any], asked: Listing) -> list[tuple[str, Any]]:
    path, is_text = noun.sorts[asked.sort], noun.kind(asked.sort) == "text"

    def key(item: Any) -> Any:
        value = attrgetter(path)(item)
        return value if is_text else value or 0

    def place(item: Any) -> tuple[Any, int]:
        return key(item), item.num

    found = sorted(
        (row for row in rows if _is_asked_for(noun, row, asked)),
        key=place,
        reverse=asked.descending,
    )
    if asked.after is not None:
        text, num = asked.after
        after = text if is_text else Decimal(text), num
        if asked.descending:
            found = [item for item in found if place(item) < after]
        else:
            found = [item for item in found if place(item) > after]
    return [(str(key(item)), item) for item in found[: asked.limit]]


def _is_asked_for(noun: ListOf[Any], row: Any, asked: Listing) -> bool:
    part = asked.q
    if part is not None:
        texts = [folded(getattr(row, name)) for name in noun.texts]
        if not any(folded(part) in text for text in texts):
            return False
    return all(
        _as_text(attrgetter(noun.filters[name])(row)) in values
        for name, values in asked.filters.items()
        if name != WEBHOOK_ID
    )


def _as_text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value

"""The lists that the database knows: what each is made of, sorted by and filtered by."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from actors.adapters.postgres import shop, tables
from actors.adapters.postgres.wire import rows
from actors.adapters.postgres.wire.isolation import computed


class Key(msgspec.Struct, frozen=True):
    """What a list can be sorted by.

    Attributes:
        order: the expression to sort by.
        written: how it becomes the text of a place; `{}` is the expression.
        read: how it is read from that text again; `{}` is the parameter.
    """

    order: str
    written: str = "({})::text"
    read: str = "{}::text"


def _text(column: str) -> Key:
    """Texts sort in the order of their code points, as the rest of the service has it."""
    return Key(f'({column} COLLATE "C")')


def number(expression: str, kind: str = "bigint") -> Key:
    return Key(expression, read=f"{{}}::text::{kind}")


def _time(expression: str) -> Key:
    """Microseconds, exactly: no floating point on the way; or "infinity", which no view shows."""
    return Key(
        expression,
        "(CASE WHEN isfinite({0}) THEN ((extract(epoch FROM {0}) * 1000000)::bigint)::text"
        " ELSE ({0})::text END)",
        "(CASE WHEN {0}::text IN ('infinity', '-infinity') THEN {0}::text::timestamptz"
        " ELSE 'epoch'::timestamptz + {0}::text::bigint * interval '1 microsecond' END)",
    )


def _maybe_time(expression: str) -> Key:
    """Where there is none, it comes first."""
    return _time(f"coalesce({expression}, 'epoch'::timestamptz)")


Records = Callable[[Any, list[Any]], Awaitable[list[Any]]]


class Noun(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is asked for.

    Attributes:
        number: the row's own, unique in the list.
        sorts: by names of the list's `sorts`; `created_at` is the number.
        texts: where `q` is looked for.
        filters: conditions with `{}` for the array of texts that will do.
        records: rows as records.
    """

    name: str
    select: str
    tables: str
    number: str
    owner: str
    records: Records
    sorts: dict[str, Key] = {}
    texts: tuple[str, ...] = ()
    filters: dict[str, str] = {}
    where: str = "true"


def _each(record: Callable[[Any], Any]) -> Records:
    async def records(connection: Any, found: list[Any]) -> list[Any]:
        return [computed(record, row) for row in found]

    return records


def _any_of(expression: str) -> str:
    return f"{expression} = ANY({{}}::text[])"


def _id_of(expression: str) -> str:
    return f"{expression} = ANY({{}}::text[]::uuid[])"


_ALL = (
    Noun(
        name="devices",
        select=tables.DEVICES.selected,
        tables=tables.DEVICES.source,
        number="d.num::bigint",
        owner="d.user_id",
        records=_each(rows.device),
        sorts={
            "name": _text("d.name"),
            "device_code": _text("d.code"),
            "status": _text("d.status"),
            "last_seen": _maybe_time("d.last_seen_at"),
        },
        texts=("d.name", "d.code"),
        filters={
            "status": _any_of("CASE d.status WHEN 'offline' THEN 'offline' ELSE 'online' END")
        },
    ),
    Noun(
        name="feeds",
        select=rows.FEED,
        tables=tables.FEEDS.source,
        number="f.num::bigint",
        owner="f.user_id",
        records=_each(rows.feed),
        sorts={"name": _text("f.name"), "key": _text("f.key")},
        texts=("f.name", "f.key"),
        filters={"device_id": _id_of("f.device_id"), "kind": _any_of("f.kind")},
    ),
    Noun(
        name="rejected-messages",
        select=tables.REJECTIONS.selected,
        tables=tables.REJECTIONS.source,
        number="r.num",
        owner="r.user_id",
        records=_each(tables.REJECTIONS.record),
        sorts={"reason": _text("r.reason"), "topic": _text("r.topic")},
        texts=("r.topic", "r.detail"),
        filters={"device_id": _id_of("r.device_id"), "reason": _any_of("r.reason")},
    ),
    Noun(
        name="media",
        select=tables.MEDIA.selected,
        tables=tables.MEDIA.source,
        number="m.num",
        owner="m.user_id",
        records=_each(tables.MEDIA.record),
        sorts={
            "filename": _text("m.filename"),
            "content_type": _text("m.content_type"),
            "size": number("m.size::bigint"),
        },
        texts=("m.filename",),
        filters={"content_type": _any_of("m.content_type")},
    ),
    Noun(
        name="media-schedules",
        select=tables.SCHEDULES.selected,
        tables=tables.SCHEDULES.source,
        number="s.num",
        owner="s.user_id",
        records=_each(tables.SCHEDULES.record),
        sorts={
            "trigger_time": _time("s.trigger_at"),
            "next_due_at": _maybe_time(tables.NEXT_AT),
        },
        filters={
            "device_id": _id_of("s.device_id"),
            "media_id": _id_of("s.media_id"),
            "enabled": _any_of("s.enabled::text"),
        },
    ),
    Noun(
        name="occurrences",
        select=tables.OCCURRENCES.selected,
        tables=tables.OCCURRENCES.source,
        number="o.num",
        owner="s.user_id",
        records=_each(tables.OCCURRENCES.record),
        sorts={"due_at": _time("o.due_at"), "state": _text("o.state")},
        filters={"schedule_id": _id_of("s.id"), "state": _any_of("o.state")},
    ),
    Noun(
        name="commands",
        select=tables.COMMANDS.selected,
        tables=tables.COMMANDS.source,
        number="c.num",
        owner="c.user_id",
        records=_each(tables.COMMANDS.record),
        sorts={
            "type": _text("c.type"),
            "state": _text("c.state"),
            "expires_at": _time("c.expires_at"),
        },
        filters={
            "device_id": _id_of("d.id"),
            "state": _any_of("c.state"),
            "type": _any_of("c.type"),
        },
    ),
    Noun(
        name="alarms",
        select=tables.ALARMS.selected,
        tables=tables.ALARMS.source,
        number="a.num",
        owner="a.user_id",
        records=_each(tables.ALARMS.record),
        sorts={
            "since": _time("a.since_at"),
            "severity": _text("a.severity"),
            "state": _text("a.state"),
        },
        filters={
            "state": _any_of("a.state"),
            "device_id": _id_of("d.id"),
            "severity": _any_of("a.severity"),
            "kind": _any_of("a.kind"),
        },
        where="a.state <> 'pending'",
    ),
    Noun(
        name="webhooks",
        select=tables.WEBHOOKS.selected,
        tables=tables.WEBHOOKS.source,
        number="w.num",
        owner="w.user_id",
        records=_each(tables.WEBHOOKS.record),
        sorts={"url": _text("w.url"), "failures": number("w.failures::bigint")},
        texts=("w.url", "w.description"),
        filters={"enabled": _any_of("w.enabled::text")},
    ),
    Noun(
        name="deliveries",
        select=tables.DELIVERIES.selected,
        tables=tables.DELIVERIES.source,
        number="d.num",
        owner="w.user_id",
        records=_each(tables.DELIVERIES.record),
        sorts={
            "type": _text("d.type"),
            "state": _text("d.state"),
            "attempts": number("d.attempts::bigint"),
        },
        filters={
            "webhook_id": _id_of("w.id"),
            "state": _any_of("d.state"),
            "type": _any_of("d.type"),
        },
    ),
    Noun(
        name="sessions",
        select=tables.SESSIONS.selected,
        tables=tables.SESSIONS.source,
        number="s.num",
        owner="s.user_id",
        records=_each(tables.SESSIONS.record),
        sorts={"expires_at": _time("s.expires_at"), "address": _text("s.address")},
        texts=("s.address", "s.agent"),
    ),
    Noun(
        name="audit-log",
        select=tables.AUDIT.selected,
        tables=tables.AUDIT.source,
        number="l.num",
        owner="l.user_id",
        records=_each(tables.AUDIT.record),
        sorts={"action": _text("l.action"), "address": _text("l.address")},
        texts=("l.subject", "l.address"),
        filters={"action": _any_of("l.action")},
    ),
    Noun(
        name="api-keys",
        select=tables.API_KEYS.selected,
        tables=tables.API_KEYS.source,
        number="k.num",
        owner="k.user_id",
        records=_each(tables.API_KEYS.record),
        sorts={"name": _text("k.name"), "last_used_at": _maybe_time("k.last_used_at")},
        texts=("k.name", "k.prefix"),
        filters={"scope": _any_of("k.scope")},
    ),
    Noun(
        name="products",
        select=tables.PRODUCTS.selected,
        tables=tables.PRODUCTS.source,
        number="p.num",
        owner="p.user_id",
        records=_each(tables.PRODUCTS.record),
        sorts={
            "name": _text("p.name"),
            "sku": _text("p.sku"),
            "price": number("p.price", "numeric"),
            "stock": number("p.stock::bigint"),
        },
        texts=("p.name", "p.sku"),
        filters={"sku": _any_of("p.sku"), "in_stock": _any_of("(p.stock > 0)::text")},
    ),
    Noun(
        name="orders",
        select=tables.ORDERS.selected,
        tables=tables.ORDERS.source,
        number="o.num",
        owner="o.user_id",
        records=shop.with_items,
        sorts={"total": number("o.total", "numeric"), "status": _text("o.state")},
        filters={"status": _any_of("o.state")},
    ),
)
NOUNS = {noun.name: noun for noun in _ALL}

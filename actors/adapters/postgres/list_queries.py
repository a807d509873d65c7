"""The lists that the database knows: what each is made of, sorted by and filtered by."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from actors.adapters.postgres import (
    access,
    alarms,
    commands,
    history,
    media,
    occurrence_sync,
    people,
    schedules,
    shop,
    webhook_outbox,
)
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
        select=rows.DEVICE,
        tables="devices d",
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
        tables=rows.FEED_FROM,
        number="f.num::bigint",
        owner="f.user_id",
        records=_each(rows.feed),
        sorts={"name": _text("f.name"), "key": _text("f.key")},
        texts=("f.name", "f.key"),
        filters={"device_id": _id_of("f.device_id"), "kind": _any_of("f.kind")},
    ),
    Noun(
        name="rejected-messages",
        select=history.REJECTION,
        tables="rejected_messages r",
        number="r.num",
        owner="r.user_id",
        records=_each(history.rejection),
        sorts={"reason": _text("r.reason"), "topic": _text("r.topic")},
        texts=("r.topic", "r.detail"),
        filters={"device_id": _id_of("r.device_id"), "reason": _any_of("r.reason")},
    ),
    Noun(
        name="media",
        select=media.MEDIA,
        tables="media m",
        number="m.num",
        owner="m.user_id",
        records=_each(media.record),
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
        select=schedules.SCHEDULE,
        tables="media_schedules s",
        number="s.num",
        owner="s.user_id",
        records=_each(schedules.schedule),
        sorts={
            "trigger_time": _time("s.trigger_at"),
            "next_due_at": _maybe_time(schedules.NEXT_AT),
        },
        filters={
            "device_id": _id_of("s.device_id"),
            "media_id": _id_of("s.media_id"),
            "enabled": _any_of("s.enabled::text"),
        },
    ),
    Noun(
        name="occurrences",
        select=occurrence_sync.OCCURRENCE,
        tables=occurrence_sync.FROM,
        number="o.num",
        owner="s.user_id",
        records=_each(occurrence_sync.occurrence),
        sorts={"due_at": _time("o.due_at"), "state": _text("o.state")},
        filters={"schedule_id": _id_of("s.id"), "state": _any_of("o.state")},
    ),
    Noun(
        name="commands",
        select=commands.COMMAND,
        tables=commands.FROM,
        number="c.num",
        owner="c.user_id",
        records=_each(commands.command),
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
        select=alarms.ALARM,
        tables=alarms.FROM,
        number="a.num",
        owner="a.user_id",
        records=_each(alarms.alarm),
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
        select=webhook_outbox.WEBHOOK,
        tables="webhooks w",
        number="w.num",
        owner="w.user_id",
        records=_each(webhook_outbox.webhook),
        sorts={"url": _text("w.url"), "failures": number("w.failures::bigint")},
        texts=("w.url", "w.description"),
        filters={"enabled": _any_of("w.enabled::text")},
    ),
    Noun(
        name="deliveries",
        select=webhook_outbox.DELIVERY,
        tables="webhook_deliveries d JOIN webhooks w ON w.num = d.webhook_num",
        number="d.num",
        owner="w.user_id",
        records=_each(webhook_outbox.delivery),
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
        select=people.SESSION,
        tables="sessions s",
        number="s.num",
        owner="s.user_id",
        records=_each(people.session),
        sorts={"expires_at": _time("s.expires_at"), "address": _text("s.address")},
        texts=("s.address", "s.agent"),
    ),
    Noun(
        name="audit-log",
        select=people.AUDIT,
        tables="audit_log l",
        number="l.num",
        owner="l.user_id",
        records=_each(people.audit_entry),
        sorts={"action": _text("l.action"), "address": _text("l.address")},
        texts=("l.subject", "l.address"),
        filters={"action": _any_of("l.action")},
    ),
    Noun(
        name="api-keys",
        select=access.KEY,
        tables="api_keys k",
        number="k.num",
        owner="k.user_id",
        records=_each(access.api_key_of),
        sorts={"name": _text("k.name"), "last_used_at": _maybe_time("k.last_used_at")},
        texts=("k.name", "k.prefix"),
        filters={"scope": _any_of("k.scope")},
    ),
    Noun(
        name="products",
        select=shop.PRODUCT,
        tables="products p",
        number="p.num",
        owner="p.user_id",
        records=_each(shop.product),
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
        select=shop.ORDER,
        tables="orders o",
        number="o.num",
        owner="o.user_id",
        records=shop.with_items,
        sorts={"total": number("o.total", "numeric"), "status": _text("o.state")},
        filters={"status": _any_of("o.state")},
    ),
)
NOUNS = {noun.name: noun for noun in _ALL}

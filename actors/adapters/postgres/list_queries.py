"""The lists of the database: SQL for what `protocol.rest.listing` describes."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_args

import msgspec

from actors.adapters.postgres import orders, tables
from actors.adapters.postgres.wire import rows
from actors.adapters.postgres.wire.isolation import computed
from actors.adapters.postgres.wire.table import Table
from protocol.rest import listing
from protocol.rest.listing import ListOf

Records = Callable[[Any, list[Any]], Awaitable[list[Any]]]


class Key(msgspec.Struct, frozen=True):
    """What a list is sorted by.

    Attributes:
        order: the expression to sort by.
        written: the expression as text, for a position.
        read: how that text is read again; `{}` is the parameter.
    """

    order: str
    written: str
    read: str


def _text(expression: str) -> Key:
    """Texts are sorted by their code points, as in the rest of the service."""
    return Key(f'({expression} COLLATE "C")', f"({expression})::text", "{}::text")


def _number(expression: str, kind: str) -> Key:
    return Key(f"{expression}::{kind}", f"({expression})::text", f"{{}}::text::{kind}")


def _time(expression: str) -> Key:
    """Microseconds, exact, without floating point; or "infinity", which no view shows."""
    return Key(
        expression,
        f"(CASE WHEN isfinite({expression})"
        f" THEN ((extract(epoch FROM {expression}) * 1000000)::bigint)::text"
        f" ELSE ({expression})::text END)",
        "(CASE WHEN {0}::text IN ('infinity', '-infinity') THEN {0}::text::timestamptz"
        " ELSE 'epoch'::timestamptz + {0}::text::bigint * interval '1 microsecond' END)",
    )


def _folded(column: str) -> str:
    """As `protocol.rest.listing.folded`, except for the case."""
    bare = f"regexp_replace(normalize({column}, NFD), '[\u0300-\u036f]', '', 'g')"
    return f"translate({bare}, 'Đđ', 'dd')"


class Noun(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is queried.

    Attributes:
        owner: the expression of the row's user.
        select: the columns from which records are made.
        records: makes records from rows.
        where: a condition; other rows are not in the list.
        computed: expressions of filters that are no columns.
    """

    of: ListOf[Any]
    table: Table[Any]
    owner: str
    select: str
    records: Records
    where: str = "true"
    computed: Mapping[str, str] = {}

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def tables(self) -> str:
        return self.table.source

    @property
    def number(self) -> str:
        """The number of the row, unique in the list."""
        return f"{self.table.at(listing.NUMBER).expression}::bigint"

    def key(self, sort: str) -> Key:
        column = self.table.at(self.of.sorts[sort])
        expression = column.expression
        match self.of.kind(sort):
            case "text":
                return _text(expression)
            case "integer":
                return _number(expression, "bigint")
            case "decimal":
                return _number(expression, "numeric")
            case "time" if type(None) in get_args(column.kind):
                return _time(f"coalesce({expression}, 'epoch'::timestamptz)")
            case "time":
                return _time(expression)

    def condition(self, name: str, texts: str) -> str:
        """Whether the filter with this name is any of an array of texts."""
        path = self.of.filters[name]
        if path in self.computed:
            return f"{self.computed[path]} = ANY({texts}::text[])"
        column = self.table.at(path)
        if column.is_uuid:
            return f"{column.expression} = ANY({texts}::text[]::uuid[])"
        cast = "::text" if column.kind is bool else ""
        return f"{column.expression}{cast} = ANY({texts}::text[])"

    def found(self, part: str) -> str:
        """Whether one of its texts matches that pattern, which is `folded`."""
        columns = [_folded(self.table.at(path).expression) for path in self.of.texts]
        return f"({' OR '.join(f'{column} ILIKE {part}' for column in columns)})"


def _noun(of: ListOf[Any], table: Table[Any], **more: Any) -> Noun:
    """A list whose rows are those of its table, owned by the table's `user_id`."""
    return Noun(
        of=of,
        table=table,
        **{
            "owner": f"{table.short}.user_id",
            "select": table.selected,
            "records": _each(table.record),
            **more,
        },
    )


def _each(record: Callable[[Any], Any]) -> Records:
    async def records(connection: Any, found: list[Any]) -> list[Any]:
        return [computed(record, row) for row in found]

    return records


_PRESENCE = "CASE d.status WHEN 'offline' THEN 'offline' ELSE 'online' END"

_ALL = (
    _noun(
        listing.DEVICES,
        tables.DEVICES,
        records=_each(rows.device),
        computed={"presence": _PRESENCE},
    ),
    _noun(
        listing.FEEDS,
        tables.FEEDS,
        select=rows.FEED,
        records=_each(rows.feed),
        computed={"has_device": "(f.device_id IS NOT NULL)::text"},
    ),
    _noun(listing.REJECTIONS, tables.REJECTIONS),
    _noun(listing.MEDIA, tables.MEDIA),
    _noun(listing.SCHEDULES, tables.SCHEDULES),
    _noun(listing.OCCURRENCES, tables.OCCURRENCES, owner="s.user_id"),
    _noun(listing.COMMANDS, tables.COMMANDS),
    _noun(
        listing.ALARMS,
        tables.ALARMS,
        where="a.state <> 'pending'",
        # As the index alarms_acknowledged has it.
        computed={"acknowledged": "(a.acknowledged_at IS NOT NULL)::text"},
    ),
    _noun(listing.WEBHOOKS, tables.WEBHOOKS),
    _noun(
        listing.DELIVERIES,
        tables.DELIVERIES,
        owner="w.user_id",
        computed={listing.WEBHOOK_ID: "w.id::text"},
    ),
    _noun(listing.SESSIONS, tables.SESSIONS),
    _noun(listing.AUDIT, tables.AUDIT),
    _noun(listing.API_KEYS, tables.API_KEYS),
    _noun(listing.PRODUCTS, tables.PRODUCTS, computed={"in_stock": "(p.stock > 0)::text"}),
    _noun(listing.ORDERS, tables.ORDERS, records=orders.with_items),
)
NOUNS = {noun.name: noun for noun in _ALL}

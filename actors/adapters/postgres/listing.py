"""Lists that can be sorted, filtered and read page by page: one statement for each page."""

from typing import Any

import msgspec

from actors.adapters.postgres import rows, shop
from actors.adapters.postgres.crossing import Crossing
from protocol.listing import CREATED, Listing
from protocol.records import Device, Feed
from protocol.shop import Order, Product


class Noun(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is asked for.

    Attributes:
        sorts: expression and type of each name; texts in the order of their code points, as the
            rest of the house has it.
        texts: where `q` is looked for.
        filters: expressions that are texts.
    """

    select: str
    tables: str
    alias: str
    sorts: dict[str, tuple[str, str]]
    texts: tuple[str, ...] = ()
    filters: dict[str, str] = {}


def _text(expression: str) -> tuple[str, str]:
    return f'({expression} COLLATE "C")', "text"


def _us(expression: str) -> tuple[str, str]:
    return f"coalesce((extract(epoch FROM {expression}) * 1000000)::bigint, 0)", "bigint"


DEVICES = Noun(
    select=rows.DEVICE,
    tables="devices d",
    alias="d",
    sorts={
        CREATED: ("d.num::bigint", "bigint"),
        "name": _text("d.name"),
        "device_code": _text("d.code"),
        "status": _text("d.status"),
        "last_seen": _us("d.last_seen_at"),
    },
    texts=("d.name", "d.code"),
    filters={"status": "CASE d.status WHEN 'offline' THEN 'offline' ELSE 'online' END"},
)
FEEDS = Noun(
    select=rows.FEED,
    tables=rows.FEED_FROM,
    alias="f",
    sorts={
        CREATED: ("f.num::bigint", "bigint"),
        "name": _text("f.name"),
        "key": _text("f.key"),
    },
    texts=("f.name", "f.key"),
    filters={"device_id": "f.device_id::text", "kind": "f.kind"},
)
PRODUCTS = Noun(
    select=shop.PRODUCT,
    tables="products p",
    alias="p",
    sorts={
        CREATED: ("p.num", "bigint"),
        "name": _text("p.name"),
        "sku": _text("p.sku"),
        "price": ("p.price", "numeric"),
        "stock": ("p.stock::bigint", "bigint"),
    },
    texts=("p.name", "p.sku"),
    filters={"sku": "p.sku", "in_stock": "(p.stock > 0)::text"},
)
ORDERS = Noun(
    select=shop.ORDER,
    tables="orders o",
    alias="o",
    sorts={
        CREATED: ("o.num", "bigint"),
        "total": ("o.total", "numeric"),
        "status": _text("o.state"),
    },
    filters={"status": "o.state"},
)


async def listed(connection: Any, noun: Noun, user_id: str, asked: Listing) -> list[Any]:
    """Rows of a page, with their `place`."""
    args: list[Any] = [user_id, asked.limit]

    def parameter(value: Any) -> str:
        args.append(value)
        return f"${len(args)}"

    key, kind = noun.sorts[asked.sort]
    number = f"{noun.alias}.num::bigint"
    where = [f"{noun.alias}.user_id = $1::text::uuid"]
    if asked.after is not None:
        value, num = asked.after
        after = f"({parameter(value)}::text::{kind}, {parameter(num)}::bigint)"
        where.append(f"({key}, {number}) {'<' if asked.descending else '>'} {after}")
    if asked.q is not None:
        part = parameter(f"%{_escaped(asked.q)}%")
        where.append(f"({' OR '.join(f'{text} ILIKE {part}' for text in noun.texts)})")
    for name, value in asked.filters.items():
        where.append(f"{noun.filters[name]} = {parameter(value)}::text")
    way = "DESC" if asked.descending else "ASC"
    found: list[Any] = await connection.fetch(
        f"SELECT {noun.select}, ({key})::text AS place FROM {noun.tables}"
        f" WHERE {' AND '.join(where)} ORDER BY {key} {way}, {number} {way} LIMIT $2",
        *args,
    )
    return found


def _escaped(part: str) -> str:
    """As a part of a pattern of LIKE."""
    return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def devices(connection: Any, user_id: str, asked: Listing) -> list[tuple[str, Device]]:
    found = await listed(connection, DEVICES, user_id, asked)
    return [(row["place"], rows.device(row)) for row in found]


async def feeds(connection: Any, user_id: str, asked: Listing) -> list[tuple[str, Feed]]:
    found = await listed(connection, FEEDS, user_id, asked)
    return [(row["place"], rows.feed(row)) for row in found]


async def products(connection: Any, user_id: str, asked: Listing) -> list[tuple[str, Product]]:
    found = await listed(connection, PRODUCTS, user_id, asked)
    return [(row["place"], shop.product(row)) for row in found]


async def orders(connection: Any, user_id: str, asked: Listing) -> list[tuple[str, Order]]:
    found = await listed(connection, ORDERS, user_id, asked)
    places = [row["place"] for row in found]
    return list(zip(places, await shop.with_items(connection, found), strict=True))


class ListCalls(Crossing):
    """See `actors.ports.listing.ListStore`."""

    async def list_devices(self, user_id: str, asked: Listing) -> list[tuple[str, Device]]:
        return await self._work(devices, user_id, asked)

    async def list_feeds(self, user_id: str, asked: Listing) -> list[tuple[str, Feed]]:
        return await self._work(feeds, user_id, asked)

    async def list_products(self, user_id: str, asked: Listing) -> list[tuple[str, Product]]:
        return await self._work(products, user_id, asked)

    async def list_orders(self, user_id: str, asked: Listing) -> list[tuple[str, Order]]:
        return await self._work(orders, user_id, asked)

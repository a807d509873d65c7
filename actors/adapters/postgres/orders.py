"""Orders: what they take from the stock, what they return to it, and their totals."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import asyncpg

from actors.adapters.postgres.tables import ORDERS, PRODUCTS
from actors.adapters.postgres.wire.isolation import computed
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.adapters.postgres.wire.rows import columns
from actors.adapters.postgres.wire.writing import write
from protocol.errors import Conflict
from protocol.problems.detail import Detail
from protocol.shop import shop
from protocol.shop.shop import (
    CANCELLED,
    PLACED,
    Order,
    OrderDay,
    OrderItem,
    OrderSums,
    WantedItem,
)

_SUMS = """
SELECT {day}, count(*), coalesce(sum(o.total), 0) AS total, coalesce(sum(i.pieces), 0) AS items
FROM orders o CROSS JOIN LATERAL (
    SELECT sum(quantity) AS pieces FROM order_items i WHERE i.order_num = o.num) i
WHERE o.user_id = $1::text::uuid AND o.created_at >= $2 AND o.created_at < $3
    AND o.state <> 'cancelled'
"""


async def add_order(
    connection: Any,
    order_id: str,
    user_id: str,
    wishes: Sequence[WantedItem],
    note: str,
    now_us: int,
) -> Order:
    async with connection.transaction():
        # Two requests with the same id: the second waits here, and finds the first one's order.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", order_id)
        known = await order_of(connection, user_id, order_id)
        if known is not None:
            return known
        # Locked in the order of their numbers, so that two orders never wait for each other.
        found = await connection.fetch(
            f"SELECT {PRODUCTS.selected} FROM products p WHERE p.user_id = $1::text::uuid"
            " AND p.id = ANY($2::text[]::uuid[]) ORDER BY p.num FOR NO KEY UPDATE",
            user_id,
            sorted({wish.product_id for wish in wishes}),
        )
        locked = {row["id"]: PRODUCTS.record(row) for row in found}
        items = shop.taken(wishes, locked)
        nums = [locked[item.product_id].num for item in items]
        await connection.execute(
            "UPDATE products p SET stock = p.stock - i.quantity"
            " FROM unnest($1::bigint[], $2::integer[]) AS i (num, quantity) WHERE p.num = i.num",
            nums,
            [item.quantity for item in items],
        )
        return await _insert_order(connection, order_id, user_id, items, nums, note, now_us)


async def _insert_order(
    connection: Any,
    order_id: str,
    user_id: str,
    items: Sequence[OrderItem],
    nums: Sequence[int],
    note: str,
    now_us: int,
) -> Order:
    try:
        num = await connection.fetchval(
            "INSERT INTO orders (id, user_id, state, total, note, created_at)"
            " VALUES ($1::text::uuid, $2::text::uuid, $3, $4, $5, $6) RETURNING num",
            order_id,
            user_id,
            PLACED,
            shop.total_of(items),
            note,
            now_us,
        )
    except asyncpg.UniqueViolationError:
        raise Conflict(Detail("id_used")) from None
    rows = [
        (place, nums[place], i.product_id, i.name, i.sku, i.price, i.quantity)
        for place, i in enumerate(items)
    ]
    await connection.execute(
        "INSERT INTO order_items (order_num, place, product_num, product_id, name, sku, price,"
        " quantity) SELECT $1, i.place, i.product_num, i.product_id::uuid, i.name, i.sku, i.price,"
        " i.quantity FROM unnest($2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[],"
        " $7::numeric[], $8::integer[])"
        " AS i (place, product_num, product_id, name, sku, price, quantity)",
        num,
        *columns(rows, 7),
    )
    added = await order_of(connection, user_id, order_id)
    assert added is not None
    return added


async def order_of(
    connection: Any, user_id: str, order_id: str, *, lock: bool = False
) -> Order | None:
    found = await connection.fetch(
        f"SELECT {ORDERS.selected} FROM orders o WHERE o.user_id = $1::text::uuid"
        f" AND o.id = $2::text::uuid{' FOR UPDATE' if lock else ''}",
        user_id,
        order_id,
    )
    orders = await with_items(connection, found)
    return orders[0] if orders else None


async def with_items(connection: Any, found: Sequence[Any]) -> list[Order]:
    items: dict[int, list[OrderItem]] = {row["num"]: [] for row in found}
    if items:
        for row in await connection.fetch(
            "SELECT order_num, product_id::text, name, sku, price, quantity FROM order_items"
            " WHERE order_num = ANY($1) ORDER BY order_num, place",
            list(items),
        ):
            items[row["order_num"]].append(
                OrderItem(
                    product_id=row["product_id"],
                    name=row["name"],
                    sku=row["sku"],
                    price=row["price"],
                    quantity=row["quantity"],
                )
            )
    return [computed(partial(ORDERS.record, row, items=tuple(items[row["num"]]))) for row in found]


async def finish_order(
    connection: Any, user_id: str, order_id: str, state: str, now_us: int
) -> Order | None:
    async with connection.transaction():
        known = await order_of(connection, user_id, order_id, lock=True)
        if known is None:
            return None
        ended = shop.finished(known, state, now_us)
        if ended is known:
            return known
        await write(connection, ORDERS, ended, "state", "finished_us")
        if state == CANCELLED:
            await connection.execute(
                "WITH back AS (SELECT p.num, i.quantity FROM order_items i"
                " JOIN products p ON p.num = i.product_num WHERE i.order_num = $1"
                " ORDER BY p.num FOR NO KEY UPDATE OF p)"
                " UPDATE products p SET stock = p.stock + back.quantity FROM back"
                " WHERE p.num = back.num",
                known.num,
            )
    return ended


async def order_sums(connection: Any, user_id: str, start_us: int, end_us: int) -> OrderSums:
    row = await connection.fetchrow(_SUMS.format(day="1"), user_id, start_us, end_us)
    return OrderSums(row["count"], row["total"], int(row["items"]))


async def orders_by_day(
    connection: Any, user_id: str, start_us: int, end_us: int, timezone: str
) -> list[OrderDay]:
    day = "to_char(o.created_at AT TIME ZONE $4::text, 'YYYY-MM-DD') AS day"
    found = await connection.fetch(
        _SUMS.format(day=day) + " GROUP BY 1 ORDER BY 1", user_id, start_us, end_us, timezone
    )
    return [
        OrderDay(row["day"], OrderSums(row["count"], row["total"], int(row["items"])))
        for row in found
    ]


class OrderCalls(PooledCalls):
    """The orders of `actors.ports.shop.ShopStore`."""

    async def add_order(
        self, order_id: str, user_id: str, wishes: Sequence[WantedItem], note: str, now_us: int
    ) -> Order:
        return await self._work(add_order, order_id, user_id, wishes, note, now_us)

    async def finish_order(
        self, user_id: str, order_id: str, state: str, now_us: int
    ) -> Order | None:
        return await self._work(finish_order, user_id, order_id, state, now_us)

    async def order_sums(self, user_id: str, start_us: int, end_us: int) -> OrderSums:
        return await self._work(order_sums, user_id, start_us, end_us)

    async def orders_by_day(
        self, user_id: str, start_us: int, end_us: int, timezone: str
    ) -> list[OrderDay]:
        return await self._work(orders_by_day, user_id, start_us, end_us, timezone)

"""Products, and their stock."""

from typing import Any

import asyncpg

from actors.adapters.postgres.tables import PRODUCTS
from actors.adapters.postgres.wire.pool import PooledCalls
from protocol.errors import Conflict
from protocol.problems.detail import Detail
from protocol.shop.shop import PRODUCTS_MAX, Product, StockSums


async def add_product(connection: Any, new: Product) -> Product:
    try:
        row = await connection.fetchrow(
            f"INSERT INTO products AS p ({PRODUCTS.names}) SELECT {PRODUCTS.values}"
            " WHERE (SELECT count(*) FROM products WHERE user_id = $2::text::uuid)"
            f" < {PRODUCTS_MAX} RETURNING {PRODUCTS.selected}",
            *PRODUCTS.arguments(new),
        )
    except asyncpg.UniqueViolationError:
        raise Conflict(Detail("product_exists", sku=new.sku)) from None
    if row is None:
        raise Conflict(Detail("products_full", most=PRODUCTS_MAX))
    return PRODUCTS.record(row)


async def update_product(
    connection: Any, changed: Product, known: int, stock: int | None
) -> Product | None:
    try:
        row = await connection.fetchrow(
            "UPDATE products p SET name = $3, sku = $4, description = $5, price = $6,"
            " stock = coalesce($7, stock), version = version + 1"
            " WHERE num = $1 AND version = $2"
            f" RETURNING {PRODUCTS.selected}",
            changed.num,
            known,
            changed.name,
            changed.sku,
            changed.description,
            changed.price,
            stock,
        )
    except asyncpg.UniqueViolationError:
        raise Conflict(Detail("product_exists", sku=changed.sku)) from None
    return None if row is None else PRODUCTS.record(row)


async def delete_product(connection: Any, user_id: str, product_id: str) -> None:
    await connection.execute(
        "DELETE FROM products WHERE user_id = $1::text::uuid AND id = $2::text::uuid",
        user_id,
        product_id,
    )


async def stock_sums(connection: Any, user_id: str) -> StockSums:
    row = await connection.fetchrow(
        "SELECT count(*), coalesce(sum(stock), 0) AS stock,"
        " count(*) FILTER (WHERE stock = 0) AS out_of_stock,"
        " coalesce(sum(stock * price), 0) AS worth FROM products WHERE user_id = $1::text::uuid",
        user_id,
    )
    return StockSums(row["count"], int(row["stock"]), row["out_of_stock"], row["worth"])


class ProductCalls(PooledCalls):
    """The products of `actors.ports.shop.ShopStore`."""

    async def add_product(self, product: Product) -> Product:
        return await self._work(add_product, product)

    async def update_product(
        self, product: Product, known: int, stock: int | None
    ) -> Product | None:
        return await self._work(update_product, product, known, stock)

    async def delete_product(self, user_id: str, product_id: str) -> None:
        await self._work(delete_product, user_id, product_id)

    async def stock_sums(self, user_id: str) -> StockSums:
        return await self._work(stock_sums, user_id)

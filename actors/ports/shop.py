"""The store's part for the shop. An order takes its stock in one transaction, never below zero."""

from collections.abc import Sequence
from typing import Protocol

from protocol.shop.shop import Order, OrderDay, OrderSums, Product, StockSums, WantedItem


class ShopStore(Protocol):
    async def add_product(self, product: Product) -> Product:
        """Returns it with its `num`. Raises `Conflict` if the user has a product with this SKU."""
        ...

    async def product(self, user_id: str, product_id: str) -> Product | None: ...

    async def update_product(
        self, product: Product, known: int, stock: int | None
    ) -> Product | None:
        """New settings, and a new stock if one is given.

        None if the version is no longer `known`: another request was faster. Raises `Conflict` like
        `add_product`.
        """
        ...

    async def delete_product(self, user_id: str, product_id: str) -> None:
        """Orders keep its name and price."""
        ...

    async def add_order(
        self, order_id: str, user_id: str, wishes: Sequence[WantedItem], note: str, now_us: int
    ) -> Order:
        """Take the stock; return the existing order if the user has one with that id.

        Raises:
            Invalid: a product does not exist.
            Conflict: there is not enough of one.
        """
        ...

    async def order(self, user_id: str, order_id: str) -> Order | None: ...

    async def finish_order(
        self, user_id: str, order_id: str, state: str, now_us: int
    ) -> Order | None:
        """Complete or cancel it; a cancelled order returns its items to the stock.

        None if there is none. Raises `Conflict` if it has ended in another way.
        """
        ...

    async def order_sums(self, user_id: str, start_us: int, end_us: int) -> OrderSums: ...

    async def orders_by_day(
        self, user_id: str, start_us: int, end_us: int, timezone: str
    ) -> list[OrderDay]:
        """The days in that time zone that have orders, in order."""
        ...

    async def stock_sums(self, user_id: str) -> StockSums: ...

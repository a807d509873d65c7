"""What the store knows of a shop. An order takes its stock in one transaction, never below zero."""

from collections.abc import Sequence
from typing import Protocol

from protocol.shop.shop import Order, OrderDay, OrderSums, Product, StockSums, WantedItem


class ShopStore(Protocol):
    async def add_product(self, product: Product) -> Product:
        """Answers with its `num`. Raises `Conflict` for a SKU that the user has already."""
        ...

    async def product(self, user_id: str, product_id: str) -> Product | None: ...

    async def update_product(
        self, product: Product, known: int, stock: int | None
    ) -> Product | None:
        """New settings, and a new stock where one is given.

        None where the version is not `known` any more: somebody else was faster. Raises `Conflict`
        as `add_product`.
        """
        ...

    async def delete_product(self, user_id: str, product_id: str) -> None:
        """Orders keep what they say of it."""
        ...

    async def add_order(
        self, order_id: str, user_id: str, wishes: Sequence[WantedItem], note: str, now_us: int
    ) -> Order:
        """Take the stock; the order of that id where the user has it already.

        Raises:
            Invalid: a product is not there.
            Conflict: there is not enough of one.
        """
        ...

    async def order(self, user_id: str, order_id: str) -> Order | None: ...

    async def finish_order(
        self, user_id: str, order_id: str, state: str, now_us: int
    ) -> Order | None:
        """Complete or cancel it; what a cancelled one took is there again.

        None where there is none. Raises `Conflict` where it ended in another way.
        """
        ...

    async def order_sums(self, user_id: str, start_us: int, end_us: int) -> OrderSums: ...

    async def orders_by_day(
        self, user_id: str, start_us: int, end_us: int, timezone: str
    ) -> list[OrderDay]:
        """Days of that zone which have orders, in order."""
        ...

    async def stock_sums(self, user_id: str) -> StockSums: ...

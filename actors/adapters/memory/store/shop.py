"""Products and orders in the store's twin."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec

from actors.adapters.memory.store.tables import Tables
from actors.runtime.clock import WallClock
from protocol.errors import Conflict
from protocol.problems.detail import Detail
from protocol.schedule.civil import zone_of
from protocol.shop import shop
from protocol.shop.shop import CANCELLED, Order, OrderDay, OrderSums, Product, StockSums, WantedItem
from protocol.times import EPOCH


class ShopTables(Tables):
    """See `actors.ports.shop.ShopStore`.

    Attributes:
        all_products: of all users, by their ids.
        all_orders: likewise.
    """

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self.all_products: dict[str, Product] = {}
        self.all_orders: dict[str, Order] = {}

    async def add_product(self, product: Product) -> Product:
        await self._cross()
        self._check_sku(product)
        product = msgspec.structs.replace(product, num=self._next("product"))
        self.all_products[product.id] = product
        return product

    def _check_sku(self, product: Product) -> None:
        for other in self.all_products.values():
            same = (other.user_id, other.sku) == (product.user_id, product.sku)
            if same and other.id != product.id:
                raise Conflict(Detail("product_exists", sku=product.sku))

    async def product(self, user_id: str, product_id: str) -> Product | None:
        await self._cross()
        found: Product | None = self._one("products", self.all_products.get(product_id), user_id)
        return found

    async def update_product(
        self, product: Product, known: int, stock: int | None
    ) -> Product | None:
        await self._cross()
        current = self.all_products.get(product.id)
        if current is None or current.version != known:
            return None
        self._check_sku(product)
        kept = current.stock if stock is None else stock
        changed = msgspec.structs.replace(product, stock=kept, version=known + 1)
        self.all_products[product.id] = changed
        return changed

    async def delete_product(self, user_id: str, product_id: str) -> None:
        await self._cross()
        found = self.all_products.get(product_id)
        if found is not None and found.user_id == user_id:
            del self.all_products[product_id]

    async def add_order(
        self, order_id: str, user_id: str, wishes: Sequence[WantedItem], note: str, now_us: int
    ) -> Order:
        await self._cross()
        known = self.all_orders.get(order_id)
        if known is not None:
            if known.user_id != user_id:
                raise Conflict(Detail("id_used"))
            return known
        mine = {p.id: p for p in self.all_products.values() if p.user_id == user_id}
        items = shop.taken(wishes, mine)
        for item in items:
            self._move(item.product_id, -item.quantity)
        order = Order(
            num=self._next("order"),
            id=order_id,
            user_id=user_id,
            items=items,
            total=shop.total_of(items),
            note=note,
            created_us=now_us,
        )
        self.all_orders[order_id] = order
        return order

    def _move(self, product_id: str, pieces: int) -> None:
        product = self.all_products.get(product_id)
        if product is not None:
            moved = msgspec.structs.replace(product, stock=product.stock + pieces)
            self.all_products[product_id] = moved

    async def order(self, user_id: str, order_id: str) -> Order | None:
        await self._cross()
        found: Order | None = self._one("orders", self.all_orders.get(order_id), user_id)
        return found

    async def finish_order(
        self, user_id: str, order_id: str, state: str, now_us: int
    ) -> Order | None:
        known = await self.order(user_id, order_id)
        if known is None:
            return None
        ended = shop.finished(known, state, now_us)
        self.all_orders[order_id] = ended
        if state == CANCELLED and ended is not known:
            for item in known.items:
                self._move(item.product_id, item.quantity)
        return ended

    def _sold(self, user_id: str, start_us: int, end_us: int) -> Iterator[Order]:
        for order in self.all_orders.values():
            mine = order.user_id == user_id and order.state != CANCELLED
            if mine and start_us <= order.created_us < end_us:
                yield order

    async def order_sums(self, user_id: str, start_us: int, end_us: int) -> OrderSums:
        await self._cross()
        return _summed(list(self._sold(user_id, start_us, end_us)))

    async def orders_by_day(
        self, user_id: str, start_us: int, end_us: int, timezone: str
    ) -> list[OrderDay]:
        await self._cross()
        days: dict[str, list[Order]] = {}
        for order in self._sold(user_id, start_us, end_us):
            local = EPOCH + timedelta(microseconds=order.created_us)
            day = local.astimezone(zone_of(timezone)).date().isoformat()
            days.setdefault(day, []).append(order)
        return [OrderDay(day, _summed(days[day])) for day in sorted(days)]

    async def stock_sums(self, user_id: str) -> StockSums:
        await self._cross()
        mine = [p for p in self.all_products.values() if p.user_id == user_id]
        return StockSums(
            len(mine),
            sum(p.stock for p in mine),
            sum(p.stock == 0 for p in mine),
            sum((p.stock * p.price for p in mine), start=StockSums().worth),
        )


def _summed(orders: Sequence[Order]) -> OrderSums:
    pieces = sum(item.quantity for order in orders for item in order.items)
    return OrderSums(len(orders), sum((o.total for o in orders), OrderSums().total), pieces)

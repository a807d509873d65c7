"""The shop: products with a stock, and orders that reduce it. Money is `Decimal`, times are µs.

An order is `placed`, then `completed` or `cancelled`. Cancelling returns its items to stock.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from protocol.errors import Conflict, Invalid
from protocol.problems.detail import Detail

PLACED, COMPLETED, CANCELLED = "placed", "completed", "cancelled"
STATES = (PLACED, COMPLETED, CANCELLED)

ITEMS_MAX = 100
QUANTITY_MAX = 1_000_000
STOCK_MAX = 1_000_000_000
PRODUCTS_MAX = 100_000  # per user


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """`version` grows by one with every change of the settings, but not of the stock."""

    num: int = 0
    id: str
    user_id: str
    name: str
    sku: str
    description: str
    price: Decimal
    stock: int
    created_us: int
    version: int = 1

    @property
    def in_stock(self) -> bool:
        return self.stock > 0


class OrderItem(msgspec.Struct, frozen=True, kw_only=True):
    """A product of an order, with its name and price at the time of the order."""

    product_id: str
    name: str
    sku: str
    price: Decimal
    quantity: int


class Order(msgspec.Struct, frozen=True, kw_only=True):
    num: int = 0
    id: str
    user_id: str
    items: tuple[OrderItem, ...]
    total: Decimal
    state: str = PLACED
    note: str = ""
    created_us: int
    finished_us: int | None = None


class WantedItem(msgspec.Struct, frozen=True):
    """A product to be ordered, and how many of it."""

    product_id: str
    quantity: int


class OrderSums(msgspec.Struct, frozen=True):
    """Orders that were not cancelled: their number, their total, and the units in them."""

    count: int = 0
    total: Decimal = Decimal(0)
    items: int = 0


class OrderDay(msgspec.Struct, frozen=True):
    """The sums of a civil day (`YYYY-MM-DD`)."""

    day: str
    sums: OrderSums


class StockSums(msgspec.Struct, frozen=True):
    """The number of products, their units in stock, how many are out of stock, and the value."""

    count: int = 0
    stock: int = 0
    out_of_stock: int = 0
    worth: Decimal = Decimal(0)


def taken(
    requested: Sequence[WantedItem], products: Mapping[str, Product]
) -> tuple[OrderItem, ...]:
    """The items of an order of these products; equal products are joined.

    Raises:
        Invalid: a product does not exist.
        Conflict: a product has too little stock.
    """
    wanted: dict[str, int] = {}
    for item in requested:
        wanted[item.product_id] = wanted.get(item.product_id, 0) + item.quantity
    items = []
    for product_id, quantity in wanted.items():
        product = products.get(product_id)
        if product is None:
            raise Invalid({"items": Detail("product_unknown", id=product_id)})
        if quantity > product.stock:
            raise Conflict(Detail("in_stock", count=product.stock, product=product.name))
        items.append(
            OrderItem(
                product_id=product_id,
                name=product.name,
                sku=product.sku,
                price=product.price,
                quantity=quantity,
            )
        )
    return tuple(items)


def total_of(items: Sequence[OrderItem]) -> Decimal:
    return sum((item.price * item.quantity for item in items), Decimal(0))


def is_for(order: Order, requested: Sequence[WantedItem], note: str) -> bool:
    """Whether an order has exactly these items and note, so that the request is a repeated one."""
    wanted: dict[str, int] = {}
    for item in requested:
        wanted[item.product_id] = wanted.get(item.product_id, 0) + item.quantity
    return wanted == {i.product_id: i.quantity for i in order.items} and note == order.note


def finished(order: Order, state: str, now_us: int) -> Order:
    """The order in its final state. Raises `Conflict` if it has another final state already."""
    if order.state == state:
        return order
    if order.state != PLACED:
        raise Conflict(Detail("order_ended", state=order.state))
    return msgspec.structs.replace(order, state=state, finished_us=now_us)

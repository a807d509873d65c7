"""A shop: products with a stock, and orders that take from it. Money is exact decimals.

An order is `placed`, then `completed` or `cancelled`; cancelling gives back what it took.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from protocol.errors import Conflict, Invalid

PLACED, COMPLETED, CANCELLED = "placed", "completed", "cancelled"
STATES = (PLACED, COMPLETED, CANCELLED)

ITEMS_MAX = 100
QUANTITY_MAX = 1_000_000
STOCK_MAX = 1_000_000_000
# Of one user.
PRODUCTS_MAX = 100_000


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """`version` grows by one with every change of the settings; the stock moves without it."""

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


class OrderItem(msgspec.Struct, frozen=True, kw_only=True):
    """So many of a product, as it was named and priced when it was ordered."""

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
    """So many of a product are to be ordered."""

    product_id: str
    quantity: int


class OrderSums(msgspec.Struct, frozen=True):
    """Orders that were not cancelled: how many, their total, how many pieces."""

    count: int = 0
    total: Decimal = Decimal(0)
    items: int = 0


class OrderDay(msgspec.Struct, frozen=True):
    """Those of a civil day (`YYYY-MM-DD`)."""

    day: str
    sums: OrderSums


class StockSums(msgspec.Struct, frozen=True):
    """Products, the pieces of all, those that are out of stock, and what all are worth."""

    count: int = 0
    stock: int = 0
    out_of_stock: int = 0
    worth: Decimal = Decimal(0)


def taken(wishes: Sequence[WantedItem], products: Mapping[str, Product]) -> tuple[OrderItem, ...]:
    """What an order takes of these products.

    Raises:
        Invalid: one of them is not there.
        Conflict: there is not enough of one.
    """
    wanted: dict[str, int] = {}
    for wish in wishes:
        wanted[wish.product_id] = wanted.get(wish.product_id, 0) + wish.quantity
    items = []
    for product_id, quantity in wanted.items():
        product = products.get(product_id)
        if product is None:
            raise Invalid({"items": f"there is no product {product_id}"})
        if quantity > product.stock:
            raise Conflict(f"of {product.sku!r} {product.stock} are left, not {quantity}")
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


def is_for(order: Order, wishes: Sequence[WantedItem], note: str) -> bool:
    """Whether an order is what these wishes ask for: a repeated request, not another one."""
    wanted: dict[str, int] = {}
    for wish in wishes:
        wanted[wish.product_id] = wanted.get(wish.product_id, 0) + wish.quantity
    return wanted == {i.product_id: i.quantity for i in order.items} and note == order.note


def finished(order: Order, state: str, now_us: int) -> Order:
    """Raises `Conflict` where it has ended in another way already."""
    if order.state == state:
        return order
    if order.state != PLACED:
        raise Conflict(f"the order is {order.state} already")
    return msgspec.structs.replace(order, state=state, finished_us=now_us)

"""REST shapes of products and orders. Money is a decimal string."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.rest.patterns import LINE, LINES, PRICE
from protocol.rest.shapes import Id, Name
from protocol.shop.shop import (
    ITEMS_MAX,
    QUANTITY_MAX,
    STOCK_MAX,
    Order,
    OrderDay,
    OrderSums,
    Product,
    StockSums,
)
from protocol.views import view_of

# Below a billion, with up to four decimal places; a JSON number is accepted, too.
Price = Annotated[str, Meta(pattern=PRICE)] | Annotated[float, Meta(ge=0, lt=1e9)]
Sku = Annotated[str, Meta(min_length=1, max_length=64, pattern=LINE)]
Stock = Annotated[int, Meta(ge=0, le=STOCK_MAX)]
Text = Annotated[str, Meta(max_length=2000, pattern=LINES)]


class NewProduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    sku: Sku
    price: Price
    stock: Stock = 0
    description: Text = ""


class ProductChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name | UnsetType = UNSET
    sku: Sku | UnsetType = UNSET
    price: Price | UnsetType = UNSET
    stock: Stock | UnsetType = UNSET
    description: Text | UnsetType = UNSET


class ProductView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    sku: str
    description: str
    price: str
    stock: int
    created_at: str


class NewOrderItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    product_id: Id
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)] = 1


class NewOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    items: Annotated[list[NewOrderItem], Meta(min_length=1, max_length=ITEMS_MAX)]
    note: Text = ""


class OrderChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    status: Literal["completed", "cancelled"]


class OrderItemView(msgspec.Struct, frozen=True, kw_only=True):
    product_id: str
    name: str
    sku: str
    price: str
    quantity: int


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """`state` and `status` are equal."""

    id: str
    items: list[OrderItemView]
    total: str
    status: str
    state: str
    note: str
    created_at: str
    finished_at: str | None


class OrderSumsView(msgspec.Struct, frozen=True, kw_only=True):
    """Sums without cancelled orders; `items` counts units."""

    count: int
    total: str
    items: int


class OrderDayView(msgspec.Struct, frozen=True, kw_only=True):
    day: str
    count: int
    total: str
    items: int


class OrderStats(msgspec.Struct, frozen=True, kw_only=True):
    """`recent`: the last 24 hours; `by_day`: every civil day of the requested period."""

    recent: OrderSumsView
    timezone: str
    by_day: list[OrderDayView]


class ProductStats(msgspec.Struct, frozen=True, kw_only=True):
    """`worth`: the value of all units in stock."""

    count: int
    stock: int
    out_of_stock: int
    worth: str


def price_of(said: str | float) -> Decimal | None:
    """The price in a request; None for a number with more than four decimal places."""
    if isinstance(said, str):
        return Decimal(said)
    price = Decimal(repr(said))
    exponent = price.as_tuple().exponent
    assert isinstance(exponent, int)  # a finite number's exponent is one
    return (
        None if exponent < -4 else Decimal(f"{price:f}").quantize(Decimal(10) ** min(exponent, 0))
    )


def money(amount: Decimal) -> str:
    """An amount as a decimal string, never with an exponent."""
    return f"{amount:f}"


def product_view(product: Product) -> ProductView:
    return view_of(ProductView, product, price=money(product.price))


def order_view(order: Order) -> OrderView:
    return view_of(
        OrderView,
        order,
        items=[view_of(OrderItemView, item, price=money(item.price)) for item in order.items],
        total=money(order.total),
        status=order.state,
    )


def sums_view(sums: OrderSums) -> OrderSumsView:
    return OrderSumsView(count=sums.count, total=money(sums.total), items=sums.items)


def day_view(day: OrderDay) -> OrderDayView:
    return OrderDayView(
        day=day.day, count=day.sums.count, total=money(day.sums.total), items=day.sums.items
    )


def stock_view(sums: StockSums) -> ProductStats:
    return ProductStats(
        count=sums.count,
        stock=sums.stock,
        out_of_stock=sums.out_of_stock,
        worth=money(sums.worth),
    )

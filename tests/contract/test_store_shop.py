"""What every store promises of a shop: PostgreSQL and its memory twin."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio

from protocol.errors import Conflict, Invalid
from protocol.rest.listing import ORDERS, PRODUCTS, Listing, UnreadableRow
from protocol.shop.shop import (
    CANCELLED,
    COMPLETED,
    Order,
    OrderDay,
    OrderSums,
    Product,
    StockSums,
    WantedItem,
)
from tests.contract.refused import refused
from tests.contract.test_store import Home
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER

HOUR = 3600 * SECOND


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


def id_of(kind: int, n: int) -> str:
    return f"00000000-0000-4000-{kind:04x}-{n:012d}"


def some_product(n: int = 1, **changes: Any) -> Product:
    product = Product(
        id=id_of(0xA000, n),
        user_id=USER,
        name=f"Lamp {n}",
        sku=f"L-{n}",
        description="bright",
        price=Decimal("9.90"),
        stock=10,
        created_us=NOW,
    )
    return msgspec.structs.replace(product, **changes)


async def added(home: Home, n: int = 1, **changes: Any) -> Product:
    return await home.store.add_product(some_product(n, **changes))


async def ordered(
    home: Home, n: int, *wishes: tuple[Product, int], user_id: str = USER, at_us: int = NOW
) -> Order:
    wanted = [WantedItem(product.id, quantity) for product, quantity in wishes]
    return await home.store.add_order(id_of(0xB000, n), user_id, wanted, "", at_us)


async def products(home: Home, user_id: str = USER, **asked: Any) -> list[Product]:
    listing = Listing(**{"limit": 10, **asked})
    found = [product for _, product in await home.store.listed(PRODUCTS, user_id, listing)]
    return [each for each in found if not isinstance(each, UnreadableRow)]


async def orders(home: Home, **asked: Any) -> list[Order]:
    listing = Listing(**{"limit": 10, "descending": True, **asked})
    found = [order for _, order in await home.store.listed(ORDERS, USER, listing)]
    return [each for each in found if not isinstance(each, UnreadableRow)]


async def stock(home: Home, product: Product) -> int:
    found = await home.store.product(product.user_id, product.id)
    assert found is not None
    return found.stock


async def test_a_product_comes_back_as_it_was_and_changes(home: Home) -> None:
    product = await added(home)
    assert msgspec.structs.replace(product, num=0) == some_product()
    assert await home.store.product(USER, product.id) == product
    assert await home.store.product(OTHER_USER, product.id) is None
    other = await added(home, 2, user_id=OTHER_USER, sku="L-1")
    second = await added(home, 3)
    assert await products(home) == [product, second]
    assert await products(home, after=(str(product.num), product.num)) == [second]
    assert await products(home, filters={"sku": ("L-3",)}) == [second]
    with refused("product_exists", sku="L-1"):
        await added(home, 4, sku="L-1")
    wanted = msgspec.structs.replace(product, name="Sun", price=Decimal("1.5"))
    changed = await home.store.update_product(wanted, 1, None)
    assert changed == msgspec.structs.replace(wanted, version=2)
    assert await home.store.update_product(wanted, 1, 5) is None  # somebody was faster
    with refused("product_exists", sku="L-3"):
        await home.store.update_product(msgspec.structs.replace(wanted, sku="L-3"), 2, None)
    await home.store.delete_product(OTHER_USER, product.id)
    assert await home.store.product(USER, product.id) is not None
    await home.store.delete_product(USER, product.id)
    assert await products(home) == [second]
    assert await products(home, OTHER_USER) == [other]


async def test_an_order_takes_stock_and_says_what_was_ordered(home: Home) -> None:
    lamp, sun = await added(home, 1), await added(home, 2, price=Decimal("0.0001"), stock=3)
    order = await ordered(home, 1, (sun, 1), (lamp, 2), (sun, 2))
    assert [(i.sku, i.quantity) for i in order.items] == [("L-2", 3), ("L-1", 2)]
    assert order.total == Decimal("19.8003")
    assert (await stock(home, lamp), await stock(home, sun)) == (8, 0)
    assert await home.store.order(USER, order.id) == order
    assert await home.store.order(OTHER_USER, order.id) is None
    renamed = msgspec.structs.replace(lamp, name="Old lamp", price=Decimal(1))
    await home.store.update_product(renamed, 1, 100)
    await home.store.delete_product(USER, sun.id)
    assert await home.store.order(USER, order.id) == order


async def test_too_large_an_order_takes_nothing(home: Home) -> None:
    lamp, sun = await added(home, 1), await added(home, 2, stock=1)
    with refused("in_stock", count=1, product="Lamp 2"):
        await ordered(home, 1, (lamp, 1), (sun, 2))
    foreign = await added(home, 3, user_id=OTHER_USER)
    with pytest.raises(Invalid, match="does not exist"):
        await ordered(home, 2, (lamp, 1), (foreign, 1))
    assert [await stock(home, p) for p in (lamp, sun, foreign)] == [10, 1, 10]
    assert await orders(home) == []


async def test_an_order_of_the_same_id_is_made_once(home: Home) -> None:
    lamp = await added(home)
    first = await ordered(home, 1, (lamp, 2))
    assert await ordered(home, 1, (lamp, 3)) == first
    assert await stock(home, lamp) == 8
    with pytest.raises((Conflict, Invalid)):
        await ordered(home, 1, (lamp, 1), user_id=OTHER_USER)


async def test_a_cancelled_order_gives_back_once(home: Home) -> None:
    lamp, sun = await added(home, 1), await added(home, 2)
    order = await ordered(home, 1, (lamp, 2), (sun, 1))
    assert await home.store.finish_order(OTHER_USER, order.id, CANCELLED, NOW + 1) is None
    ended = await home.store.finish_order(USER, order.id, CANCELLED, NOW + 1)
    assert ended is not None
    assert (ended.state, ended.finished_us) == (CANCELLED, NOW + 1)
    assert await home.store.finish_order(USER, order.id, CANCELLED, NOW + 2) == ended
    assert (await stock(home, lamp), await stock(home, sun)) == (10, 10)
    with refused("order_ended"):
        await home.store.finish_order(USER, order.id, COMPLETED, NOW + 3)
    kept = await ordered(home, 2, (lamp, 1))
    await home.store.finish_order(USER, kept.id, COMPLETED, NOW + 1)
    with refused("order_ended"):
        await home.store.finish_order(USER, kept.id, CANCELLED, NOW + 2)
    gone = await ordered(home, 3, (lamp, 1))
    await home.store.delete_product(USER, lamp.id)
    cancelled = await home.store.finish_order(USER, gone.id, CANCELLED, NOW + 1)
    assert cancelled is not None
    listed = await orders(home)
    assert [o.num for o in listed] == [gone.num, kept.num, order.num]
    before = str(kept.num), kept.num
    assert [o.id for o in await orders(home, after=before)] == [order.id]
    assert [o.id for o in await orders(home, filters={"status": (COMPLETED,)})] == [kept.id]


async def test_two_hundred_at_once_sell_exactly_what_there_is(home: Home) -> None:
    lamp, sun = await added(home, 1, stock=50), await added(home, 2, stock=1000)
    sold: list[str] = []
    refused: list[int] = []

    async def buy(n: int) -> None:
        # In both orders of products, so that a careless store would wait for itself.
        wishes = [(lamp, 1), (sun, 1)][:: 1 if n % 2 else -1]
        try:
            sold.append((await ordered(home, n, *wishes)).id)
        except Conflict:
            refused.append(n)

    async with trio.open_nursery() as nursery:
        for n in range(200):
            nursery.start_soon(buy, n)
    assert (len(sold), len(refused)) == (50, 150)
    assert (await stock(home, lamp), await stock(home, sun)) == (0, 950)


async def test_sums_leave_out_what_was_cancelled_and_know_civil_days(home: Home) -> None:
    lamp = await added(home, 1, stock=100)
    # 2026-09-21T13:33:20Z is 20:33 in Ho Chi Minh City.
    await ordered(home, 1, (lamp, 2))
    await ordered(home, 2, (lamp, 1), at_us=NOW + 4 * HOUR)
    over = await ordered(home, 3, (lamp, 5), at_us=NOW + 1)
    await home.store.finish_order(USER, over.id, CANCELLED, NOW + 2)
    sums = await home.store.order_sums(USER, NOW, NOW + HOUR)
    assert sums == OrderSums(1, Decimal("19.80"), 2)
    assert await home.store.order_sums(USER, NOW - HOUR, NOW) == OrderSums()
    assert await home.store.order_sums(OTHER_USER, NOW, NOW + HOUR) == OrderSums()
    days = await home.store.orders_by_day(USER, NOW, NOW + 5 * HOUR, "Asia/Ho_Chi_Minh")
    assert days == [
        OrderDay("2026-09-21", OrderSums(1, Decimal("19.80"), 2)),
        OrderDay("2026-09-22", OrderSums(1, Decimal("9.90"), 1)),
    ]
    (day,) = await home.store.orders_by_day(USER, NOW, NOW + 5 * HOUR, "UTC")
    assert day == OrderDay("2026-09-21", OrderSums(2, Decimal("29.70"), 3))
    await added(home, 2, stock=0)
    assert await home.store.stock_sums(USER) == StockSums(2, 97, 1, Decimal("960.30"))
    assert await home.store.stock_sums(OTHER_USER) == StockSums()


async def test_more_pieces_come_back_than_an_integer_holds(home: Home) -> None:
    """Ordered, filled up again, cancelled: it was refused as out of range, for ever."""
    lamp = await added(home, stock=2_000_000_000)
    order = await ordered(home, 1, (lamp, 1_500_000_000))
    assert await home.store.update_product(lamp, lamp.version, 2_000_000_000) is not None
    await home.store.finish_order(USER, order.id, CANCELLED, NOW + 1)
    assert await stock(home, lamp) == 3_500_000_000
    sums = await home.store.stock_sums(USER)
    assert (sums.stock, sums.worth) == (3_500_000_000, Decimal("34650000000.00"))

"""Every list, in every order, page by page: PostgreSQL and its memory twin."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from protocol.listing import DEVICE_SORTS, FEED_SORTS, ORDER_SORTS, PRODUCT_SORTS, Listing
from protocol.records import DeviceState, StateChange
from protocol.shop import COMPLETED
from tests.contract.test_store import Home, of
from tests.contract.test_store_shop import id_of, ordered, some_product
from tests.unit.makers import NOW, OTHER_USER, USER, some_device, some_feed, some_login

# In the order of code points, whatever a language thinks of them.
NAMES = ["Zeta", "alpha", "Älpha", "beta", "alpha", "100% wool", "a_b", "日本"]


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        at = await Home(store).furnish()
        for n, name in enumerate(NAMES):
            device = some_device(f"c{9 - n}", id_of(0xD000, n), client_id=f"device-l{n}", name=name)
            await store.add_device(device, some_login(device))
            await store.add_feed(some_feed(f"k{9 - n}", 100 + n, name=name, device_id=None))
            price, stock = Decimal(n % 3) / 4, n % 4 * 10
            await store.add_product(some_product(n, name=name, price=price, stock=stock))
            rich = await store.add_product(some_product(50 + n, stock=100))
            await ordered(at, n, (rich, n % 3 + 1))
        yield at


async def all_of(home: Home, call: str, pages: int, **asked: Any) -> list[Any]:
    """The whole list, so many items at a time."""
    found: list[Any] = []
    after = None
    while True:
        question = Listing(limit=pages, after=after, **asked)
        page = await getattr(home.store, call)(USER, question)
        found += [item for _, item in page]
        if len(page) < pages:
            return found
        value, last = page[-1]
        after = value, last.num


READS: dict[str, Any] = {
    "created_at": lambda item: item.num,
    "name": lambda item: item.name,
    "device_code": lambda item: item.code,
    "status": lambda item: item.state if isinstance(item.state, str) else item.state.status,
    "last_seen": lambda item: item.state.last_seen_us or 0,
    "key": lambda item: item.key,
    "sku": lambda item: item.sku,
    "price": lambda item: item.price,
    "stock": lambda item: item.stock,
    "total": lambda item: item.total,
}
LISTS = {
    "list_devices": DEVICE_SORTS,
    "list_feeds": FEED_SORTS,
    "list_products": PRODUCT_SORTS,
    "list_orders": ORDER_SORTS,
}


@pytest.mark.parametrize("call", LISTS)
async def test_every_order_is_whole_whatever_the_pages(home: Home, call: str) -> None:
    everything = await all_of(home, call, 100)
    assert len(everything) >= len(NAMES)
    for sort in LISTS[call]:
        for descending in (False, True):
            wanted = sorted(
                everything, key=lambda item: (READS[sort](item), item.num), reverse=descending
            )
            for pages in (1, 3, 100):
                found = await all_of(home, call, pages, sort=sort, descending=descending)
                assert [i.id for i in found] == [i.id for i in wanted], (sort, descending, pages)


async def test_parts_of_names_are_found_literally(home: Home) -> None:
    async def names(q: str, call: str = "list_devices") -> list[str]:
        return sorted(item.name for item in await all_of(home, call, 100, q=q))

    for call in ("list_devices", "list_feeds"):
        assert await names("ALPHA", call) == ["alpha", "alpha"]
        assert await names("%", call) == ["100% wool"]
        assert await names("_", call) == ["a_b"]
        assert await names("\\", call) == []
        assert await names("本", call) == ["日本"]
    assert await names("C9") == ["Zeta"]
    assert len(await names("L-5", "list_products")) == 9


async def test_filters_leave_what_fits(home: Home) -> None:
    online = DeviceState(version=1, status="sleeping", last_seen_us=NOW)
    await home.commit(of(state=StateChange(home.device.num, online)))

    async def count(call: str, **filters: str) -> int:
        return len(await all_of(home, call, 3, filters=filters))

    assert await count("list_devices", status="online") == 1
    assert await count("list_devices", status="offline") == len(NAMES)
    assert await count("list_feeds", device_id=home.device.id) == len(home.feeds)
    assert await count("list_feeds", kind="text") == 1
    assert await count("list_products", in_stock="false") == 2
    assert await count("list_products", in_stock="true") == 14
    (first, *_) = await all_of(home, "list_orders", 100)
    await home.store.finish_order(USER, first.id, COMPLETED, NOW)
    assert await count("list_orders", status=COMPLETED) == 1
    for call in LISTS:
        assert await getattr(home.store, call)(OTHER_USER, Listing(limit=10)) == []

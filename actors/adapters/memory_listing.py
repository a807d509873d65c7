"""Sorted and filtered lists in the store's twin."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, TypeVar

from actors.adapters.memory_tables import Tables
from protocol.listing import CREATED, Listing
from protocol.records import OFFLINE, Device, Feed
from protocol.shop import Order, Product

T = TypeVar("T")
Read = Callable[[Any], Any]

_DEVICE: dict[str, Read] = {
    CREATED: lambda d: d.num,
    "name": lambda d: d.name,
    "device_code": lambda d: d.code,
    "status": lambda d: d.state.status,
    "last_seen": lambda d: d.state.last_seen_us or 0,
}
_FEED: dict[str, Read] = {
    CREATED: lambda f: f.num,
    "name": lambda f: f.name,
    "key": lambda f: f.key,
}
_PRODUCT: dict[str, Read] = {
    CREATED: lambda p: p.num,
    "name": lambda p: p.name,
    "sku": lambda p: p.sku,
    "price": lambda p: p.price,
    "stock": lambda p: p.stock,
}
_ORDER: dict[str, Read] = {
    CREATED: lambda o: o.num,
    "total": lambda o: o.total,
    "status": lambda o: o.state,
}
_FILTERS: dict[str, Read] = {
    "device_id": lambda f: f.device_id,
    "kind": lambda f: f.kind,
    "sku": lambda p: p.sku,
    "in_stock": lambda p: "true" if p.stock > 0 else "false",
}


def _is_online(device: Device) -> str:
    return "offline" if device.state.status == OFFLINE else "online"


class ListTables(Tables):
    """See `actors.ports.listing.ListStore`."""

    _devices: dict[str, Device]
    _feeds: dict[str, Feed]
    all_products: dict[str, Product]
    all_orders: dict[str, Order]

    async def list_devices(self, user_id: str, asked: Listing) -> list[tuple[str, Device]]:
        await self._cross()
        mine = [d for d in self._devices.values() if d.user_id == user_id]
        reads: dict[str, Read] = {"status": _is_online}
        return _listed(mine, asked, _DEVICE, reads, lambda d: (d.name, d.code))

    async def list_feeds(self, user_id: str, asked: Listing) -> list[tuple[str, Feed]]:
        await self._cross()
        mine = [f for f in self._feeds.values() if f.user_id == user_id]
        return _listed(mine, asked, _FEED, _FILTERS, lambda f: (f.name, f.key))

    async def list_products(self, user_id: str, asked: Listing) -> list[tuple[str, Product]]:
        await self._cross()
        mine = [p for p in self.all_products.values() if p.user_id == user_id]
        return _listed(mine, asked, _PRODUCT, _FILTERS, lambda p: (p.name, p.sku))

    async def list_orders(self, user_id: str, asked: Listing) -> list[tuple[str, Order]]:
        await self._cross()
        mine = [o for o in self.all_orders.values() if o.user_id == user_id]
        return _listed(mine, asked, _ORDER, {"status": lambda o: o.state}, lambda o: ())


def _listed(
    items: Iterable[T],
    asked: Listing,
    sorts: dict[str, Read],
    filters: dict[str, Read],
    texts: Callable[[T], tuple[str, ...]],
) -> list[tuple[str, T]]:
    key = sorts[asked.sort]

    def place(item: Any) -> tuple[Any, int]:
        return key(item), item.num

    found = [
        item
        for item in items
        if (asked.q is None or any(asked.q.lower() in text.lower() for text in texts(item)))
        and all(filters[name](item) == value for name, value in asked.filters.items())
    ]
    found.sort(key=place, reverse=asked.descending)
    if asked.after is not None:
        after = _typed(found, key, asked.after[0]), asked.after[1]
        if asked.descending:
            found = [item for item in found if place(item) < after]
        else:
            found = [item for item in found if place(item) > after]
    return [(str(key(item)), item) for item in found[: asked.limit]]


def _typed(found: list[Any], key: Read, text: str) -> Any:
    """The value of a place, of the type that the list is sorted by."""
    if not found or isinstance(key(found[0]), str):
        return text
    return Decimal(text)

"""Sorted and filtered lists of the store. Each item comes with its value in that order, as text."""

from typing import Protocol

from protocol.listing import Listing
from protocol.records import Device, Feed
from protocol.shop import Order, Product


class ListStore(Protocol):
    async def list_devices(self, user_id: str, asked: Listing) -> list[tuple[str, Device]]:
        """Filters: `status` (`offline`, or `online` for every other word)."""
        ...

    async def list_feeds(self, user_id: str, asked: Listing) -> list[tuple[str, Feed]]:
        """Filters: `device_id`, `kind`."""
        ...

    async def list_products(self, user_id: str, asked: Listing) -> list[tuple[str, Product]]:
        """Filters: `sku`, `in_stock` (`true` or `false`)."""
        ...

    async def list_orders(self, user_id: str, asked: Listing) -> list[tuple[str, Order]]:
        """Filters: `status`. There is nothing that `q` could be part of."""
        ...

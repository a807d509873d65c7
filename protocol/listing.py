"""Lists that can be sorted, filtered and read page by page.

A place in a list is the value it is sorted by, as text, and the number of the row: rows that come
and go between two pages move nothing.
"""

import msgspec

CREATED = "created_at"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A question for a page.

    Attributes:
        sort: a name that the list knows (`Sorts`); `created_at` is in all of them.
        after: the place (value as text, number) behind which the page begins.
        q: a part of a name, whatever its case.
        filters: exact values by names that the list knows.
    """

    limit: int
    sort: str = CREATED
    descending: bool = False
    after: tuple[str, int] | None = None
    q: str | None = None
    filters: dict[str, str] = {}


# What the lists can be sorted by.
DEVICE_SORTS = (CREATED, "name", "device_code", "status", "last_seen")
FEED_SORTS = (CREATED, "name", "key")
PRODUCT_SORTS = (CREATED, "name", "sku", "price", "stock")
ORDER_SORTS = (CREATED, "total", "status")

"""Lists of a store in their usual order, for whoever looks at what is there."""

from typing import Any, TypeVar

from actors.ports.listing import ListStore
from actors.ports.store import Store
from protocol.records import Device
from protocol.rest.listing import Listing, ListOf, UnreadableRow

T = TypeVar("T")
DEVICES_MAX = 100_000


async def items(
    store: ListStore,
    noun: ListOf[T],
    user_id: str,
    limit: int = 100,
    after: Any = None,
    **filters: str | tuple[str, ...],
) -> list[T]:
    """One's items behind `after`, so many at most."""
    place = None
    if after is not None:
        place = str(after.due_us if noun.name == "occurrences" else after.num), after.num
    asked = Listing(
        limit=limit,
        sort=noun.usual.removeprefix("-"),
        descending=noun.usual.startswith("-"),
        after=place,
        filters={
            name: (value,) if isinstance(value, str) else value for name, value in filters.items()
        },
    )
    found = await store.listed(noun, user_id, asked)
    return [item for _, item in found if not isinstance(item, UnreadableRow)]


async def devices_of(store: Store, user_id: str) -> list[Device]:
    """All devices of a user that can be read, page by page."""
    devices: list[Device] = []
    after: int | None = 0
    while after is not None:
        page, after = await store.snapshot(user_id, after, DEVICES_MAX)
        devices += page
    return devices

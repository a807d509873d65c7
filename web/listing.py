"""Lists over REST: `sort`, filters and cursors as a question to the store, and back as a page.

asked = listing(query, DEVICE_SORTS, {"status": query.status})
return listed_page(await store.list_devices(user_id, asked), asked, device_resource)
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from protocol import codec
from protocol.errors import BadPayload, Invalid
from protocol.listing import CREATED, Listing
from protocol.resources import Limit, Page

R = TypeVar("R")
V = TypeVar("V")

CURSOR_MAX = 2_000
NUMBER_MAX = 2**63
# How values of what is sorted by numbers are written; all others are texts.
_INTEGER = re.compile(r"[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,10})?", re.ASCII)
_NUMBERS = {
    CREATED: _INTEGER,
    "last_seen": _INTEGER,
    "stock": _INTEGER,
    "price": _DECIMAL,
    "total": _DECIMAL,
}


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """`sort` names a field, with `-` before it the other way round."""

    limit: Limit = 100
    cursor: str | None = None
    sort: str = CREATED


class SearchQuery(ListQuery, frozen=True, kw_only=True):
    """`q`: a part of a name, whatever its case."""

    q: Annotated[str, Meta(max_length=200)] | None = None


class _Place(msgspec.Struct, frozen=True, array_like=True):
    sort: str
    value: str
    num: int


def listing(query: ListQuery, sorts: Sequence[str], filters: Mapping[str, str | None]) -> Listing:
    """The page that is asked for, and one item more, which tells whether there is another page.

    Raises:
        Invalid: it cannot be sorted so, or the cursor is not one of this order.
    """
    name = query.sort.removeprefix("-")
    if name not in sorts:
        raise Invalid({"sort": f"is one of {', '.join(sorts)}, perhaps with - before it"})
    part = query.q if isinstance(query, SearchQuery) else None
    if part is not None and "\0" in part:
        raise Invalid({"q": "contains U+0000"})
    return Listing(
        limit=query.limit + 1,
        sort=name,
        descending=query.sort.startswith("-"),
        after=_place(query.cursor, query.sort) if query.cursor else None,
        q=part,
        filters={name: value for name, value in filters.items() if value is not None},
    )


def listed_page(
    found: Sequence[tuple[str, Any]], asked: Listing, view: Callable[[Any], V]
) -> Page[V]:
    """A page of what was found for `asked`."""
    limit = asked.limit - 1
    after = None
    if len(found) > limit:
        value, last = found[limit - 1]
        sort = f"-{asked.sort}" if asked.descending else asked.sort
        written = codec.encode(_Place(sort, value, last.num))
        after = base64.urlsafe_b64encode(written).rstrip(b"=").decode()
    return Page([view(item) for _, item in found[:limit]], after)


_place_in = msgspec.json.Decoder(_Place)


def _place(cursor: str, sort: str) -> tuple[str, int]:
    wrong = Invalid({"cursor": "is not a cursor of this list in this order"})
    if len(cursor) > CURSOR_MAX:
        raise wrong
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place = codec.decode_as(_place_in, data)
    except (ValueError, BadPayload):
        raise wrong from None
    number = _NUMBERS.get(sort.removeprefix("-"))
    if number is not None and number.fullmatch(place.value) is None:
        raise wrong
    if place.sort != sort or "\0" in place.value or not 0 <= place.num < NUMBER_MAX:
        raise wrong
    return place.value, place.num

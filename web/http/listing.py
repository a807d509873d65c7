"""Lists over REST: turns `sort`, filters and cursors into a query of the store, and items into a
page.

return await listed(call, DEVICES, query, device_resource, status=query.status)
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta

from actors.runtime.isolation import Failed, attempt_now
from protocol.dead_letters import reason_of
from protocol.errors import Invalid, Unreadable
from protocol.ids import is_uuid
from protocol.problems.detail import Detail
from protocol.rest.listing import Kind, Listing, ListOf, UnreadableRow
from protocol.rest.shapes import Limit, Page
from web.http.context import Call
from web.http.cursors import NUMBER_MAX, cursor_of, place_in

R = TypeVar("R")
V = TypeVar("V")

NOT_SHOWN = "This record cannot be shown; the error was logged"

# How values are written by which numbers are sorted; all others are texts.
_NUMBERS: dict[Kind, re.Pattern[str]] = {
    "integer": re.compile(r"-?[0-9]{1,18}", re.ASCII),
    "time": re.compile(r"-?([0-9]{1,19}|infinity)", re.ASCII),
    "decimal": re.compile(r"[0-9]{1,20}(\.[0-9]{1,10})?", re.ASCII),
}


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """`sort` names a field, with `-` before it for descending order."""

    limit: Limit = 100
    cursor: str | None = None
    sort: str | None = None


class SearchQuery(ListQuery, frozen=True, kw_only=True):
    """`q`: a part of a name, whatever its case and accents."""

    q: Annotated[str, Meta(max_length=200)] | None = None


async def listed(
    call: Call,
    noun: ListOf[R],
    query: ListQuery,
    view: Callable[[R], V],
    **filters: str | tuple[str, ...] | None,
) -> Page[V]:
    """The requested page of a user's list; a filter that is None matches everything.

    Raises:
        Invalid: it cannot be sorted like this, or the cursor is not of this order.
    """
    sort = noun.usual if query.sort is None else query.sort
    asked = Listing(
        # One more, to see whether there is another page.
        limit=query.limit + 1,
        sort=_known(noun, sort),
        descending=sort.startswith("-"),
        after=_place(query.cursor, noun, sort) if query.cursor else None,
        q=_part(query),
        filters={
            name: (value,) if isinstance(value, str) else value
            for name, value in filters.items()
            if value is not None
        },
    )
    found = await call.service.store.listed(noun, call.user.id, asked)
    after = None
    if len(found) > query.limit:
        value, last = found[query.limit - 1]
        after = cursor_of((sort, value, _number_of(last)))
    return await _shown(call, noun, [item for _, item in found[: query.limit]], view, after)


async def _shown(
    call: Call,
    noun: ListOf[R],
    items: Sequence[R | UnreadableRow],
    view: Callable[[R], V],
    after: str | None,
) -> Page[V]:
    """The views of items, of which some cannot be read."""
    shown = await shown_of(call, noun, items, view)
    return Page(shown, after, len(items) - len(shown) or UNSET)


async def shown_of(
    call: Call, noun: ListOf[R], items: Sequence[R | UnreadableRow], view: Callable[[R], V]
) -> list[V]:
    """The views of items. One that fails (a time beyond the calendar) is left out like one that
    cannot be read, and hides no other."""
    shown: list[V] = []
    for item in items:
        if isinstance(item, UnreadableRow):
            continue
        done = attempt_now(partial(view, item))
        if isinstance(done, Failed):
            reason = reason_of(done.error)
            await call.service.store.note_unreadable(
                noun.name, _number_of(item), call.user.id, reason
            )
        else:
            shown.append(done)
    return shown


async def shown_alone(call: Call, noun: ListOf[R], item: R, view: Callable[[R], V]) -> V:
    """One item as it is shown. Raises `Unreadable` where that fails; it is noted, as by a list."""
    done = attempt_now(partial(view, item))
    if not isinstance(done, Failed):
        return done
    reason = reason_of(done.error)
    await call.service.store.note_unreadable(noun.name, _number_of(item), call.user.id, reason)
    if isinstance(done.error, Unreadable):
        raise done.error
    raise Unreadable(NOT_SHOWN) from done.error


def some_of(name: str, text: str | None, known: Sequence[str]) -> tuple[str, ...] | None:
    """Several words with commas, as a filter. Raises `Invalid` for an unknown one."""
    words = tuple(text.split(",")) if text else ()
    if not set(words) <= set(known):
        raise Invalid({name: Detail("not_one_of", words=", ".join(known))})
    return words or None


def some_id(name: str, text: str | None) -> str | None:
    """An id as a filter. Raises `Invalid` for anything else."""
    found = None if text is None else text.lower()
    if found is not None and not is_uuid(found):
        raise Invalid({name: Detail("not_id")})
    return found


def truth(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _known(noun: ListOf[Any], sort: str) -> str:
    name = sort.removeprefix("-")
    if name not in noun.sorts:
        raise Invalid({"sort": Detail("not_sort", words=", ".join(noun.sorts))})
    return name


def _part(query: ListQuery) -> str | None:
    part = query.q if isinstance(query, SearchQuery) else None
    if part is not None and "\0" in part:
        raise Invalid({"q": Detail("zero_character")})
    return part


def _number_of(item: Any) -> int:
    number: int = item.num
    return number


_place_in: msgspec.json.Decoder[tuple[str, str, int]] = msgspec.json.Decoder(tuple[str, str, int])


def _place(cursor: str, noun: ListOf[Any], sort: str) -> tuple[str, int]:
    try:
        order, value, num = place_in(_place_in, cursor)
        number = _NUMBERS.get(noun.kind(sort.removeprefix("-")))
        if order != sort or "\0" in value or not 0 <= num < NUMBER_MAX:
            raise ValueError("a cursor of something else")
        if number is not None and number.fullmatch(value) is None:
            raise ValueError("not a value of this order")
    except ValueError:
        raise Invalid({"cursor": Detail("not_cursor")}) from None
    return value, num

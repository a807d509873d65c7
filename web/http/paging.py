"""Pages of lists, and cursors: where a page ended, opaque to the client.

found = await store.devices(user_id, query.limit + 1, number_of(query.cursor) or 0)
return page(found, query.limit, device_resource)
"""

import base64
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import structlog
from msgspec import UNSET

from actors.runtime.isolation import Failed, attempt_now
from protocol.dead_letters import reason_of
from protocol.errors import Invalid
from protocol.rest.resources import Page

log = structlog.get_logger("roost.web")

F = TypeVar("F")
V = TypeVar("V")

NUMBER_MAX = 2**63


def cursor(*place: int) -> str:
    text = ",".join(str(number) for number in place)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def place_of(cursor: str, numbers: int) -> Sequence[int]:
    """The numbers of a cursor of ours. Raises `Invalid` for anything else."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        place = [int(part) for part in text.split(",")]
    except ValueError:
        place = []
    if len(place) != numbers or any(abs(number) >= NUMBER_MAX for number in place):
        raise Invalid({"cursor": "is not a cursor of this list"})
    return place


def number_of(cursor: str | None) -> int | None:
    """The number of a cursor that has one; None on the first page. Raises `Invalid`."""
    return place_of(cursor, 1)[0] if cursor else None


def _by_num(each: Any) -> tuple[int, ...]:
    return (each.num,)


def page(
    found: Sequence[F],
    limit: int,
    view: Callable[[F], V],
    place: Callable[[F], tuple[int, ...]] = _by_num,
) -> Page[V]:
    """A page of what was found, of which one more than `limit` was asked for. What no view can show
    (a time beyond the calendar) is left out and counted, and hides no other."""
    items = found[:limit]
    after = cursor(*place(items[-1])) if len(found) > limit else None
    shown = showable(items, view)
    return Page(shown, after, len(items) - len(shown) or UNSET)


def showable(items: Sequence[F], view: Callable[[F], V]) -> list[V]:
    """Those that a view can show."""
    done = [attempt_now(partial(view, item)) for item in items]
    shown = [each for each in done if not isinstance(each, Failed)]
    if len(shown) < len(items):
        reasons = [reason_of(each.error) for each in done if isinstance(each, Failed)]
        log.warning("left out", many=len(reasons), reason=reasons[0])
    return shown

"""Pages of results that are not lists of the store, and items that views cannot show.

return page(found, query.limit, reading_view, lambda each: (each.ts_us, each.device_num))
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import structlog
from msgspec import UNSET

from actors.runtime.isolation import Failed, attempt_now
from protocol.dead_letters import reason_of
from protocol.rest.shapes import Page
from web.http.cursors import cursor_of

log = structlog.get_logger("roost.web")

F = TypeVar("F")
V = TypeVar("V")


def page(
    found: Sequence[F],
    limit: int,
    view: Callable[[F], V],
    place: Callable[[F], tuple[int, ...]],
) -> Page[V]:
    """A page of the results, of which one more than `limit` was requested. An item that no view can
    show (a time beyond the calendar) is left out and counted, and hides no other."""
    items = found[:limit]
    after = cursor_of(place(items[-1])) if len(found) > limit else None
    shown = showable(items, view)
    return Page(shown, after, len(items) - len(shown) or UNSET)


def showable(items: Sequence[F], view: Callable[[F], V]) -> list[V]:
    """The items that a view can show."""
    done = [attempt_now(partial(view, item)) for item in items]
    shown = [each for each in done if not isinstance(each, Failed)]
    if len(shown) < len(items):
        reasons = [reason_of(each.error) for each in done if isinstance(each, Failed)]
        log.warning("left out", many=len(reasons), reason=reasons[0])
    return shown

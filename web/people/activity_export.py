"""The activity log as a CSV file, streamed page by page."""

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence

from quart import Response

from protocol.people.people import AuditEntry, audit_view
from protocol.rest.listing import AUDIT, Listing, UnreadableRow
from web.http.context import Call
from web.http.disposition import attachment

PAGE = 500
COLUMNS = ("at", "action", "subject", "address", "agent")
# A spreadsheet calculates a cell that begins so, and strangers choose what a User-Agent is.
FORMULAS = ("=", "+", "-", "@", "\t")


async def exported(call: Call, listing: Listing) -> Response:
    """The entries that a list would show, from its first page to its last."""
    pages = _pages(call, listing)
    first = await anext(pages, ())  # an error here can still become an error response

    async def body() -> AsyncIterator[bytes]:
        yield _lines([COLUMNS])
        page: Sequence[AuditEntry] | None = first
        while page is not None:
            yield _lines(map(_row, page))
            page = await anext(pages, None)

    headers = {"Content-Disposition": attachment("activity.csv"), "Cache-Control": "no-store"}
    response = Response(body(), 200, headers, content_type="text/csv; charset=utf-8")
    response.timeout = None
    return response


async def _pages(call: Call, listing: Listing) -> AsyncGenerator[Sequence[AuditEntry], None]:
    while True:
        found = await call.service.store.listed(AUDIT, call.user.id, listing)
        yield [entry for _, entry in found if not isinstance(entry, UnreadableRow)]
        if len(found) < listing.limit:
            return
        value, last = found[-1]
        listing = listing.behind(value, last.num)


def _row(entry: AuditEntry) -> list[str]:
    view = audit_view(entry)
    return [_cell(getattr(view, name)) for name in COLUMNS]


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULAS) else text


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()

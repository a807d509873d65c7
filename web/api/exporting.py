"""Exports of readings as CSV or newline-delimited JSON, streamed page by page."""

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec
import trio
from quart import Request, Response

from actors.ports.store import FeedPage
from protocol import codec
from protocol.device.feed_views import ReadingView, reading_view
from protocol.records import Feed, StoredReading
from web.http.context import Call
from web.http.disposition import attachment
from web.http.openapi import CSV, LINES
from web.http.paging import showable

PAGE = 5_000
# Encoding 500 rows takes about 7 ms; other tasks run between two portions.
PORTION = 500
Row = StoredReading | ReadingView
ENDINGS = {CSV: "csv", LINES: "ndjson"}
# Characters of an Accept header. Browsers send some 150; parsing 60,000 took 60 ms.
ACCEPT_MAX = 1_000


def wanted_kind(asked: Request) -> str | None:
    """The media type if the client prefers CSV or newline-delimited JSON; None for JSON."""
    if len(asked.headers.get("accept", "")) > ACCEPT_MAX:
        return None
    best = asked.accept_mimetypes.best_match(["application/json", CSV, LINES])
    return best if best in ENDINGS else None


async def exported(
    call: Call,
    kind: str,
    feed: Feed,
    what: FeedPage | Sequence[ReadingView],
    columns: Sequence[str],
    limit: int | None = None,
) -> Response:
    """A response that streams readings, or the given points of a chart, as a file.

    Args:
        kind: `CSV` or `LINES`.
        what: which readings to load page by page, or the points themselves.
        columns: names of the fields, in order.
        limit: the maximum number of rows; None: all.
    """
    pages = pages_of(call, what, limit) if isinstance(what, FeedPage) else _points(what)
    first = await anext(pages, None)  # an error here can still become an error response

    async def body() -> AsyncIterator[bytes]:
        if kind == CSV:
            yield csv_lines([columns])
        page = first
        while page is not None:
            parts = []
            for start in range(0, len(page), PORTION):
                parts.append(written(kind, page[start : start + PORTION], columns))
                await trio.lowlevel.checkpoint()
            yield b"".join(parts)
            page = await anext(pages, None)

    name = f"{feed.key}.{ENDINGS[kind]}"
    headers = {"Content-Disposition": attachment(name), "Cache-Control": "no-store"}
    response = Response(body(), 200, headers, content_type=f"{kind}; charset=utf-8")
    response.timeout = None  # a long history over a slow line takes minutes
    return response


async def pages_of(
    call: Call, asked: FeedPage, limit: int | None
) -> AsyncGenerator[Sequence[Row], None]:
    """Pages of readings, newest first. Each is its own query, so no transaction stays open."""
    left = limit
    while left is None or left > 0:
        many = PAGE if left is None else min(PAGE, left)
        found = await call.service.store.feed_values(msgspec.structs.replace(asked, limit=many))
        if found:
            yield found
        if len(found) < many:
            return
        last = found[-1]
        asked = msgspec.structs.replace(asked, before=(last.ts_us, last.device_num, last.digest))
        left = None if left is None else left - many


async def _points(views: Sequence[ReadingView]) -> AsyncGenerator[Sequence[Row], None]:
    for start in range(0, len(views), PAGE):
        yield views[start : start + PAGE]


def written(kind: str, rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    views = showable(rows, _view)
    if kind == CSV:
        return csv_lines([_cell(getattr(view, name)) for name in columns] for view in views)
    return b"".join(codec.encode(view) + b"\n" for view in views)


def _view(row: Row) -> ReadingView:
    return row if isinstance(row, ReadingView) else reading_view(row)


def csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """A CSV cell: as in JSON, but texts without quotes, and null as an empty cell."""
    if value is None:
        return ""
    return value if isinstance(value, str) else codec.encode(value).decode()

"""Everything of one's own in a ZIP file, streamed: lists as newline-delimited JSON, the readings of
each feed as CSV, and the contents of media."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from typing import Any

import trio
from quart import Response

from actors.ports.store import FeedPage
from protocol import codec
from protocol.device.alarms import alarm_view
from protocol.device.commands import command_view
from protocol.device.feed_views import feed_view
from protocol.device.views import device_resource, rejection_view
from protocol.errors import NotFound
from protocol.media.media import Media, media_view
from protocol.media.types import fitting
from protocol.people.access import key_view
from protocol.people.people import audit_view, session_view
from protocol.people.views import user_view
from protocol.records import Feed
from protocol.rest.listing import (
    ALARMS,
    API_KEYS,
    AUDIT,
    COMMANDS,
    DEVICES,
    FEEDS,
    MEDIA,
    OCCURRENCES,
    ORDERS,
    PRODUCTS,
    REJECTIONS,
    SCHEDULES,
    SESSIONS,
    WEBHOOKS,
    Listing,
    ListOf,
    UnreadableRow,
)
from protocol.schedule.schedules import occurrence_view, schedule_view
from protocol.shop.views import order_view, product_view
from protocol.webhook.views import webhook_view
from web.api.exporting import PORTION, csv_lines, pages_of, written
from web.http.context import Call
from web.http.disposition import attachment
from web.http.listing import shown_of
from web.http.openapi import CSV, ZIP
from web.http.operation import Auth, ZipFile
from web.http.routing import Api
from web.people.activity import note_soon
from web.people.archive import Archive
from web.people.codes import check_second_factor

api = Api("people")

# A command or a refused message may have tens of kilobytes, which take a millisecond each.
PAGE, LONG_LINE = 100, 4_096
MEDIA_BYTES = SENT_BYTES = 64 << 10
COLUMNS = ("ts", "value", "flagged")
# No view has a secret: no password, no key, no secret of a webhook.
LISTED: tuple[tuple[ListOf[Any], Callable[[Any], Any]], ...] = (
    (DEVICES, device_resource),
    (FEEDS, feed_view),
    (SCHEDULES, schedule_view),
    (OCCURRENCES, occurrence_view),
    (ALARMS, alarm_view),
    (COMMANDS, command_view),
    (REJECTIONS, rejection_view),
    (MEDIA, media_view),
    (PRODUCTS, product_view),
    (ORDERS, order_view),
    (WEBHOOKS, webhook_view),
    (API_KEYS, key_view),
    (SESSIONS, partial(session_view, current=None)),
    (AUDIT, audit_view),
)


@api.operation("GET", "/users/me/export", answer=ZipFile(), auth=Auth.SESSION, asks_code=True)
async def export_account(call: Call) -> Response:
    """Download everything of yours as a ZIP file: lists, readings and media, without secrets."""
    await check_second_factor(call)
    parts = _joined(_parts(call))
    first = await anext(parts)  # an error here can still become an error response
    note_soon(call, "account_exported")

    async def body() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    headers = {"Content-Disposition": attachment("roost.zip"), "Cache-Control": "no-store"}
    response = Response(body(), 200, headers, content_type=ZIP)
    response.timeout = None  # much over a slow line takes long
    return response


async def _joined(parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The same in larger parts: most files are small."""
    waiting, size = [], 0
    async for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= SENT_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


async def _parts(call: Call) -> AsyncGenerator[bytes, None]:
    archive = Archive(call.service.clock.now_us())
    user = await call.service.store.user(call.user.id) or call.user
    archive.begin("account.json")
    archive.add(codec.encode(user_view(user)))
    for noun, view in LISTED:
        archive.begin(f"{noun.name}.ndjson")
        async for page in _pages(call, noun):
            for each in await shown_of(call, noun, page, view):
                line = codec.encode(each) + b"\n"
                archive.add(line)
                if len(line) > LONG_LINE:
                    await trio.lowlevel.checkpoint()
            yield archive.taken()
    async for feed in _each(call, FEEDS):
        async for part in _readings(call, archive, feed):
            yield part
    async for media in _each(call, MEDIA):
        async for part in _content(call, archive, media):
            yield part
    yield await archive.end()


async def _pages(call: Call, noun: ListOf[Any]) -> AsyncIterator[list[Any]]:
    listing = Listing(limit=PAGE, sort=noun.usual.removeprefix("-"))
    while True:
        found = await call.service.store.listed(noun, call.user.id, listing)
        yield [item for _, item in found]
        if len(found) < PAGE:
            return
        value, last = found[-1]
        listing = listing.behind(value, last.num)


async def _each(call: Call, noun: ListOf[Any]) -> AsyncIterator[Any]:
    async for page in _pages(call, noun):
        for item in page:
            if not isinstance(item, UnreadableRow):
                yield item


async def _readings(call: Call, archive: Archive, feed: Feed) -> AsyncIterator[bytes]:
    """A file, unless the feed has none."""
    pages = pages_of(call, FeedPage(feed_num=feed.num), None)
    page = await anext(pages, None)
    if page is None:
        return
    archive.begin(f"readings/{feed.key}-{feed.id}.csv")
    archive.add(csv_lines([COLUMNS]))
    while page is not None:
        for start in range(0, len(page), PORTION):
            archive.add(written(CSV, page[start : start + PORTION], COLUMNS))
            await trio.lowlevel.checkpoint()
        yield archive.taken()
        page = await anext(pages, None)


async def _content(call: Call, archive: Archive, media: Media) -> AsyncIterator[bytes]:
    read = partial(call.service.files.read, media.sha256)
    try:
        chunk = await read(0, MEDIA_BYTES)
    except NotFound:  # a row without its content, after a crash
        return
    name = fitting(media.filename, media.content_type).replace("/", "_").replace("\\", "_")
    archive.begin(f"media/{media.id}-{name}", packed=False)
    at = 0
    while chunk:
        archive.add(chunk)
        yield archive.taken()
        at += len(chunk)
        chunk = await read(at, MEDIA_BYTES)

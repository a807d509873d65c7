"""REST calls for the media library: upload, list, statistics, show, delete."""

from datetime import UTC
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import trio
from msgspec import Meta

from actors.media import library
from protocol.errors import Busy
from protocol.media.media import Media, MediaStats, MediaView, first_day_us, media_stats, media_view
from protocol.problems.detail import Detail
from protocol.rest.listing import MEDIA
from protocol.rest.shapes import Page
from web.api.spans import zone_in
from web.http.context import Call
from web.http.listing import SearchQuery, listed, shown_alone
from web.http.missing import missing
from web.http.operation import Json, Upload
from web.http.routing import Api
from web.http.uploads import receive
from web.people.activity import note_soon

api = Api("media")

# Syncing 256 MiB to a slow disk, and writing one row.
FINISH_WITHIN_S = 120.0


class MediaQuery(SearchQuery, frozen=True, kw_only=True):
    """`q`: a part of a filename."""

    content_type: Annotated[str, Meta(max_length=100)] | None = None


async def media_of(call: Call, media_id: str) -> Media:
    """The user's media row. Raises `NotFound`."""
    media = await call.service.store.media(call.user.id, media_id)
    if media is None:
        raise missing("media_id")
    return media


@api.operation(
    "POST",
    "/media",
    body=Upload(),
    answer=Json(MediaView),
    status=201,
    also=(200,),
)
async def add_media(call: Call) -> MediaView:
    """Upload a file. If you have a file with this content already, the response is 200 with it."""
    service, settings = call.service, call.settings
    with call.uploads.take(call.user.id) as place:
        used = await service.store.media_used(call.user.id)
        library.check_quota(used + 1, settings.media_quota_bytes)
        room = min(settings.media_bytes_max, settings.media_quota_bytes - used)
        async with service.files.draft() as draft:
            received = await receive(call.request, draft, room, place)
            await call.ask_again()
            # Complete from here on, so finish even if the client hangs up.
            with trio.move_on_after(FINISH_WITHIN_S, shield=True):
                media = Media(
                    num=0,
                    id=service.ids.uuid(),
                    user_id=call.user.id,
                    filename=received.filename,
                    content_type=received.sniffed.content_type,
                    size=draft.size,
                    sha256=await draft.seal(),
                    width=received.sniffed.width,
                    height=received.sniffed.height,
                    created_us=service.clock.now_us(),
                )
                stored = await service.media.add(media, draft, settings.media_quota_bytes)
                call.status = 201 if stored.id == media.id else 200
                if stored.id == media.id:
                    note_soon(call, "media_added", stored.filename)
                return media_view(stored)
    raise Busy(Detail("media_slow"), retry_after_s=30)


@api.operation("GET", "/media", query=MediaQuery, answer=Json(Page[MediaView]))
async def list_media(call: Call, query: MediaQuery) -> Page[MediaView]:
    """List your media, newest first; `sort` takes filename, content_type and size."""
    return await listed(call, MEDIA, query, media_view, content_type=query.content_type)


class MediaStatsQuery(msgspec.Struct, frozen=True):
    """`tz`: the time zone of the days."""

    tz: str = "UTC"


@api.operation("GET", "/media/stats", query=MediaStatsQuery, answer=Json(MediaStats))
async def show_media_stats(call: Call, query: MediaStatsQuery) -> MediaStats:
    """Count your media by type, and the uploads of each of the last thirty days."""
    return await stats_of_media(call, query.tz, zone_in("tz", query.tz))


async def stats_of_media(call: Call, timezone: str, zone: ZoneInfo | None) -> MediaStats:
    """By civil days of the zone; None is UTC."""
    now_us, civil = call.service.clock.now_us(), zone or UTC
    since_us = first_day_us(now_us, civil)
    counts = await call.service.store.media_stats(call.user.id, since_us, timezone)
    return media_stats(counts, now_us, civil)


@api.operation("GET", "/media/<media_id>", answer=Json(MediaView), errors=(404,))
async def show_media(call: Call, media_id: str) -> MediaView:
    """Show a file, without its content."""
    return await shown_alone(call, MEDIA, await media_of(call, media_id), media_view)


@api.operation("DELETE", "/media/<media_id>", status=204, errors=(404, 409))
async def delete_media(call: Call, media_id: str) -> None:
    """Delete a file that nothing uses any more."""
    media = await media_of(call, media_id)
    await call.service.media.remove(media)
    note_soon(call, "media_deleted", media.filename)

"""The content of media: whole, in ranges, or not again; with a login, or by a signed link."""

from typing import Annotated

import msgspec
from msgspec import Meta
from quart import Response
from quart.wrappers.response import ResponseBody

from actors.ports.media import MediaFiles
from protocol.errors import Forbidden, NotFound
from protocol.records import Media
from web.api.media import media_of
from web.http.context import Call
from web.http.disposition import named
from web.http.ranges import Validators
from web.http.routing import Api

api = Api("media")

CHUNK_BYTES = 256 << 10
# The content of an id never changes; a day, so that what was deleted is forgotten some time.
CACHE = "private, max-age=86400, immutable"
SHOWN = ("image", "video", "audio")

Expires = Annotated[int, Meta(ge=0, le=2**53, description="Unix time in seconds")]
Signature = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class LinkQuery(msgspec.Struct, frozen=True):
    """A signed link has both; they stand for a login."""

    expires: Expires | None = None
    signature: Signature | None = None


@api.operation(
    "GET",
    "/media/<media_id>/content",
    query=LinkQuery,
    content=True,
    linked=True,
    errors=(403, 404),
)
async def media_content(call: Call, media_id: str, query: LinkQuery) -> Response:
    """The content, whole or a range of it; with a login, or by a signed link."""
    media = await _readable(call, media_id, query)
    validators = Validators(media)
    headers = _headers(media, validators)
    if validators.is_known(call.request):
        return _without_content(304, headers)
    span = validators.span(call.request, media.size)
    start, end = span or (0, media.size)
    headers["Content-Length"] = str(end - start)
    headers["Content-Type"] = _shown_type(media)
    if call.request.method == "HEAD":
        return _without_content(200, headers)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{media.size}"
    content = _Content(call.service.files, media.sha256, start, end)
    await content.begin()
    response = Response(content, 200 if span is None else 206, headers)
    # A film over a slow line takes minutes; whoever takes nothing is cut off (roost/hardening.py).
    response.timeout = None
    return response


async def _readable(call: Call, media_id: str, query: LinkQuery) -> Media:
    """The media of a login or of a link. Raises `Forbidden`, `NotFound`."""
    if call.has_user:
        return await media_of(call, media_id)
    if query.expires is None or query.signature is None:
        raise Forbidden("the link is not whole")
    now_us = call.service.clock.now_us()
    if not call.service.links.is_valid(media_id, query.expires, query.signature, now_us):
        raise Forbidden("the link is not valid, or not any more")
    media = await call.service.store.media_by_id(media_id)
    if media is None:
        raise NotFound("there is no such media")
    return media


def _headers(media: Media, validators: Validators) -> dict[str, str]:
    return {
        "ETag": validators.etag,
        "Last-Modified": validators.last_modified,
        "Accept-Ranges": "bytes",
        "Cache-Control": CACHE,
        "Content-Disposition": disposition(media),
        # Should a browser ever take it for a page, then for one that can do nothing.
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }


def disposition(media: Media) -> str:
    how = "inline" if media.content_type.partition("/")[0] in SHOWN else "attachment"
    return named(how, media.filename)


def _shown_type(media: Media) -> str:
    return f"{media.content_type}{'; charset=utf-8' if media.content_type == 'text/plain' else ''}"


def _without_content(status: int, headers: dict[str, str]) -> Response:
    response = Response(b"", status)
    for name in ("Content-Length", "Content-Type"):  # of the nothing that it has
        del response.headers[name]
    response.headers.update(headers)
    return response


class _Content(ResponseBody):
    """Bytes of a content, a chunk at a time. No file is open between two chunks."""

    def __init__(self, files: MediaFiles, sha256: bytes, start: int, end: int) -> None:
        self._files = files
        self._sha256 = sha256
        self._at = start
        self._end = end
        self._first = b""

    async def begin(self) -> None:
        """Read the first chunk, while the answer may still be another. Raises as `read`."""
        self._first = await self._read()

    async def _read(self) -> bytes:
        length = min(CHUNK_BYTES, self._end - self._at)
        return await self._files.read(self._sha256, self._at, length)

    async def __aenter__(self) -> "_Content":
        return self

    async def __aexit__(self, *error: object) -> None:
        return

    def __aiter__(self) -> "_Content":
        return self

    async def __anext__(self) -> bytes:
        if self._at >= self._end:
            raise StopAsyncIteration
        chunk = self._first or await self._read()
        self._first = b""
        if not chunk:
            raise EOFError("the file of a content is shorter than its row says")
        self._at += len(chunk)
        return chunk

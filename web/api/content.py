"""The content of media files: whole, as a range, or 304; with a login or by a signed link."""

from typing import Annotated

import msgspec
from msgspec import Meta
from quart import Response
from quart.wrappers.response import ResponseBody

from actors.access.mqtt_credentials import client_id_of
from actors.ports.links import MediaLink
from actors.ports.media import MediaFiles
from protocol.errors import Forbidden
from protocol.media.media import Media
from protocol.media.types import fitting
from protocol.problems.detail import Detail
from protocol.rest.shapes import Id
from web.api.media import media_of
from web.http.context import Call
from web.http.disposition import named
from web.http.listing import some_id
from web.http.missing import missing
from web.http.operation import Auth, Content
from web.http.ranges import Validators
from web.http.routing import Api

api = Api("media")

CHUNK_BYTES = 256 << 10
# The content of an id never changes. Only a day, so that caches drop deleted files.
CACHE = "private, max-age=86400, immutable"
SHOWN = ("image", "video", "audio")

Expires = Annotated[int, Meta(ge=0, le=2**53, description="Unix time in seconds")]
Signature = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


Login = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]


class LinkQuery(msgspec.Struct, frozen=True):
    """All are in a signed link, and replace a login."""

    device: Id | None = None
    login: Login | None = None
    expires: Expires | None = None
    signature: Signature | None = None


@api.operation(
    "GET",
    "/media/<media_id>/content",
    query=LinkQuery,
    answer=Content(),
    auth=Auth.LINK,
    errors=(403, 404),
)
async def media_content(call: Call, media_id: str, query: LinkQuery) -> Response:
    """Download the content, whole or a range of it, with a login or by a signed link."""
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
    # A video over a slow line takes minutes. roost/hardening.py closes a connection that stalls.
    response.timeout = None
    return response


async def _readable(call: Call, media_id: str, query: LinkQuery) -> Media:
    """The media row, if the login or the signed link allows it.

    Raises:
        Forbidden: the link is incomplete, wrong or expired.
        NotFound: there is no such media, or it is another user's.
    """
    device_id = some_id("device", query.device)
    if call.has_user:
        return await media_of(call, media_id)
    if query.expires is None or query.signature is None:
        raise Forbidden(Detail("link_incomplete"))
    service, now_us = call.service, call.service.clock.now_us()
    link = MediaLink(media_id, query.expires, device_id, query.login)
    if not service.links.is_valid(link, query.signature, now_us):
        raise Forbidden(Detail("link_expired"))
    media = await service.store.media_by_id(media_id)
    if media is None:
        raise missing("media_id")
    if link.device_id is not None and not await _is_for(call, link, link.device_id):
        raise Forbidden(Detail("link_ended"))
    return media


async def _is_for(call: Call, link: MediaLink, device_id: str) -> bool:
    """Whether the device exists and still has the password of the time of the link."""
    name = client_id_of(device_id)
    login = (await call.service.store.logins([name])).get(name)
    return login is not None and call.service.links.login(login.password_sha256) == link.login


def _headers(media: Media, validators: Validators) -> dict[str, str]:
    return {
        "ETag": validators.etag,
        "Last-Modified": validators.last_modified,
        "Accept-Ranges": "bytes",
        "Cache-Control": CACHE,
        "Content-Disposition": disposition(media),
        # If a browser shows it as a page, that page may run nothing.
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        # A signage player may be a page of another origin; it needs a login or a link all the same.
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


def disposition(media: Media) -> str:
    how = "inline" if media.content_type.partition("/")[0] in SHOWN else "attachment"
    return named(how, fitting(media.filename, media.content_type))


def _shown_type(media: Media) -> str:
    return f"{media.content_type}{'; charset=utf-8' if media.content_type == 'text/plain' else ''}"


def _without_content(status: int, headers: dict[str, str]) -> Response:
    response = Response(b"", status)
    for name in ("Content-Length", "Content-Type"):  # set for the empty body
        del response.headers[name]
    response.headers.update(headers)
    return response


class _Content(ResponseBody):
    """A response body that reads a file one chunk at a time.

    No file is open between two chunks, so slow clients hold no file descriptors.
    """

    def __init__(self, files: MediaFiles, sha256: bytes, start: int, end: int) -> None:
        self._files = files
        self._sha256 = sha256
        self._at = start
        self._end = end
        self._first = b""

    async def begin(self) -> None:
        """Read the first chunk, while an error can still become an error response.

        Raises:
            NotFound: the file is gone.
            Busy: the disk cannot be read now.
        """
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

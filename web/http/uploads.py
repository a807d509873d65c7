"""Receives a file: out of a multipart body (RFC 7578), chunk by chunk, into a draft."""

from collections.abc import Iterator

import msgspec
import trio
from quart import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
)

from actors.media.sniffing import Sniffed, Sniffer
from actors.ports.media import MediaDraft
from protocol.errors import Invalid, Malformed, NotTaken, TooLarge, TooSlow
from protocol.media.media import clean_filename
from protocol.problems.detail import Detail
from web.http.upload_places import Place

PART = "file"
SILENT_S = 30.0
WITHIN_S = 3600.0  # a file of 256 MiB at 75 kB/s
# The decoder's buffer: a chunk, the rest of the one before, the headers of a part.
BUFFER_BYTES = 1 << 20
# The rest of a body with one part: its boundaries and headers.
AROUND_BYTES = 16 << 10
BOUNDARY_MAX = 200  # 70 by RFC 2046 §5.1.1; some send more


class Received(msgspec.Struct, frozen=True):
    """A file that is complete in its draft."""

    filename: str
    sniffed: Sniffed


async def receive(request: Request, draft: MediaDraft, bytes_max: int, place: Place) -> Received:
    """Receive the one file of a request into a draft.

    Raises:
        NotTaken: the body is not multipart, or the type of the file is not supported.
        Malformed: it is not valid multipart.
        Invalid: no file, an empty one, a second one, or another field.
        TooLarge: more than `bytes_max` bytes.
        TooSlow: nothing arrived for half a minute, or it was not complete within an hour.
        Busy: the draft has no room.
    """
    if request.mimetype != "multipart/form-data":
        raise NotTaken(Detail("file_not_multipart", part=PART))
    boundary = request.mimetype_params.get("boundary", "")
    if not 1 <= len(boundary) <= BOUNDARY_MAX or not boundary.isascii():
        raise Malformed(Detail("multipart_boundary"))
    if (request.content_length or 0) > bytes_max + AROUND_BYTES:
        raise _too_large(bytes_max)
    decoder = MultipartDecoder(boundary.encode(), BUFFER_BYTES)
    taking = _Taking(draft, bytes_max)
    with trio.move_on_after(WITHIN_S):
        while True:
            chunk = await _next(request)
            place.came(len(chunk or b""))
            for event in _events(decoder, chunk):
                await taking.take(event)
                if isinstance(event, Epilogue):
                    return taking.finish()
    raise TooSlow(Detail("file_too_slow", seconds=WITHIN_S))


async def _next(request: Request) -> bytes | None:
    """The next chunk of the body; None at its end, as the decoder expects."""
    with trio.move_on_after(SILENT_S):
        try:
            return await request.body.__anext__()
        except StopAsyncIteration:
            return None
    raise TooSlow(Detail("file_silent", seconds=SILENT_S))


def _events(decoder: MultipartDecoder, chunk: bytes | None) -> Iterator[Event]:
    """The events of a chunk; at the end of the body an `Epilogue` or `Malformed`."""
    try:
        decoder.receive_data(chunk)
        while not isinstance(event := decoder.next_event(), NeedData):
            yield event
            if isinstance(event, Epilogue):
                return
    except RequestEntityTooLarge:
        raise Malformed(Detail("multipart_headers")) from None
    except ValueError:  # headers that are not UTF-8 too
        raise Malformed(Detail("multipart_invalid")) from None


class _Taking:
    """What was received of the body so far."""

    def __init__(self, draft: MediaDraft, bytes_max: int) -> None:
        self._draft = draft
        self._bytes_max = bytes_max
        self._sniffer = Sniffer()
        self._filename: str | None = None

    async def take(self, event: Event) -> None:
        if isinstance(event, Field | File):
            if event.name != PART:
                raise Invalid({str(event.name)[:64]: Detail("unknown_field")})
            if self._filename is not None:
                raise Invalid({PART: Detail("file_twice")})
            self._filename = clean_filename(event.filename if isinstance(event, File) else "")
        elif isinstance(event, Data) and event.data:
            if self._draft.size + len(event.data) > self._bytes_max:
                raise _too_large(self._bytes_max)
            self._sniffer.feed(event.data)
            await self._draft.write(event.data)

    def finish(self) -> Received:
        if self._filename is None:
            raise Invalid({PART: Detail("required")})
        return Received(self._filename, self._sniffer.finish())


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(Detail("file_too_large", most=bytes_max))

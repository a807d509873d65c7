"""What type a file has, from its bytes: neither its name nor its declared type is trusted.

    sniffer = Sniffer()
    sniffer.feed(chunk)         # each chunk; raises NotTaken as early as possible
    found = sniffer.finish()    # found.content_type, found.width, found.height

puremagic recognises types with a signature, imagesize measures. `containers` and `mpeg_audio`
recognise the types that puremagic gets wrong.
"""

import codecs
import io
import re

import imagesize
import msgspec
import puremagic

from actors.media.containers import (
    TYPE_BYTES,
    bitmap,
    is_jpeg_ls,
    iso_media,
    matroska,
    ogg,
    pdf,
)
from actors.media.mpeg_audio import mpeg_audio
from protocol.errors import Invalid, NotTaken
from protocol.media.types import TAKEN, WORDS
from protocol.problems.detail import Detail

# TYPE_BYTES are enough for the type. The size of an image may come after its colour profile and
# preview.
HEAD_BYTES = 256 << 10
PIXELS_MAX = 2**31 - 1
READS_MAX = 2000  # about 5 ms; a photograph needs twenty

# The extensions that puremagic recognises correctly. (It also calls JPEG 2000 and JPEG-LS
# image/jpeg.)
_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jpe": "image/jpeg",
    ".jfif": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
}
# Control characters except tab, line feed, form feed and carriage return.
_CONTROL = bytes({*range(32), 127} - {9, 10, 12, 13})
_MARKUP = re.compile(rb"\s*<[A-Za-z!?/]")


class Sniffed(msgspec.Struct, frozen=True):
    """A type of `TAKEN`; the pixels of an image, if its beginning contains them."""

    content_type: str
    width: int | None = None
    height: int | None = None


class Sniffer:
    """Looks at a stream of bytes, and keeps its first 256 KiB."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._type: str | None = None
        self._text = codecs.getincrementaldecoder("utf-8")()

    def feed(self, chunk: bytes) -> None:
        """Raises `NotTaken`, at the latest with the chunk that begins after the first 4 KiB."""
        known = len(self._head)
        if known < HEAD_BYTES:
            self._head += chunk[: HEAD_BYTES - known]
        if self._type is None and len(self._head) >= TYPE_BYTES:
            self._decide()
            chunk = bytes(self._head) + chunk[HEAD_BYTES - known :]  # none of it was read
        if self._type == "text/plain":
            self._read_text(chunk, final=False)

    def finish(self) -> Sniffed:
        """Raises `NotTaken`, and `Invalid` if the file is empty."""
        if not self._head:
            raise Invalid({"file": Detail("file_empty")})
        rest = b""
        if self._type is None:
            self._decide()
            rest = bytes(self._head)
        assert self._type is not None
        if self._type == "text/plain":
            self._read_text(rest, final=True)
        if self._type == "image/jpeg" and is_jpeg_ls(bytes(self._head)):
            raise NotTaken(Detail("file_looks_like", type="JPEG-LS", types=WORDS))
        if not self._type.startswith("image/"):
            return Sniffed(self._type)
        return Sniffed(self._type, *_pixels(bytes(self._head)))

    def _decide(self) -> None:
        head = bytes(self._head)
        found = binary_type(head)
        if found is None and (_is_markup(head) or _is_named(head)):
            raise _not_taken(head)
        # Anything else may be text, which only all of its bytes can show.
        self._type = found or "text/plain"

    def _read_text(self, chunk: bytes, *, final: bool) -> None:
        try:
            self._text.decode(chunk, final)
        except UnicodeDecodeError:
            raise _not_taken(bytes(self._head)) from None
        if len(chunk.translate(None, _CONTROL)) != len(chunk):
            raise _not_taken(bytes(self._head))


def binary_type(head: bytes) -> str | None:
    """The type of `TAKEN` that the beginning of a file shows, except text; None for any other."""
    for read in (iso_media, matroska, ogg, mpeg_audio, bitmap, _signature):
        found = read(head)
        if found is not None:
            return found
    return None if _is_markup(head) else pdf(head)


def _is_markup(head: bytes) -> bool:
    """Whether it may be HTML, or SVG: a script in it must not run, whatever else it contains."""
    return _MARKUP.match(head.removeprefix(codecs.BOM_UTF8)) is not None


def _signature(head: bytes) -> str | None:
    """The type by a signature at the very beginning: further on, four letters may be a word of a
    text.

    For RIFF alone puremagic returns the extensions of everything that RIFF may hold.
    """
    told = [each for each in _matches(head) if head.startswith(each.byte_match)]
    names = [each.extension for each in told if each.byte_match != b"RIFF"]
    return next((_TYPES[name] for name in names if name in _TYPES), None)


def _is_named(head: bytes) -> bool:
    """Whether puremagic recognises it by a signature that no text begins with by chance."""
    sure = [each for each in _matches(head) if each.offset == 0 and len(each.byte_match) >= 5]
    return any(not each.mime_type.startswith("text/") for each in sure if each.mime_type)


def _matches(head: bytes) -> list[puremagic.PureMagicWithConfidence]:
    """The types that puremagic finds, most likely first."""
    try:
        # The end of the head is not the end of the file: with zeros, no signature of an end
        # matches.
        found = puremagic.magic_string(head[:TYPE_BYTES] + bytes(256))
    except puremagic.PureError:
        return []
    return [each for each in found if each.offset >= 0]


def _not_taken(head: bytes) -> NotTaken:
    name = next((each.mime_type for each in _matches(head) if each.mime_type), None)
    if name is None or name in TAKEN:
        return NotTaken(Detail("file_type", types=WORDS))
    return NotTaken(Detail("file_looks_like", type=name, types=WORDS))


class _Reader(io.BytesIO):
    """A head with a bounded number of reads: a broken file may have ten thousands of parts."""

    reads_left = READS_MAX

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise ValueError("too many parts")
        return super().read(size)


def _pixels(head: bytes) -> tuple[int | None, int | None]:
    try:
        width, height = imagesize.get(_Reader(head))
    except Exception:  # noqa: BLE001 (whatever rubbish makes of its reader, the file has no size)
        return None, None
    if not (0 < width <= PIXELS_MAX and 0 < height <= PIXELS_MAX):
        return None, None
    return int(width), int(height)

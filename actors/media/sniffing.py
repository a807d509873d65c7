"""What bytes are, by themselves: neither a file's name nor its declared type is believed.

    sniffer = Sniffer()
    sniffer.feed(chunk)         # of every chunk; raises NotTaken as soon as it shows
    found = sniffer.finish()    # found.content_type, found.width, found.height

puremagic names what has a signature of its own, imagesize measures; what puremagic does not tell
rightly is told by `containers` and `mpeg_audio`.
"""

import codecs
import io
import re

import imagesize
import msgspec
import puremagic

from actors.media.containers import TYPE_BYTES, bitmap, iso_media, matroska, ogg
from actors.media.mpeg_audio import mpeg_audio
from protocol.errors import Invalid, NotTaken
from protocol.media.types import TAKEN, WORDS

# The type is told by TYPE_BYTES; the size of an image may stand behind its colour profile and
# preview.
HEAD_BYTES = 256 << 10
PIXELS_MAX = 2**31 - 1
READS_MAX = 2000  # some 5 ms; a photograph takes twenty

# Of puremagic's extensions those that it tells rightly. (It calls JPEG 2000 image/jpeg, too.)
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
    ".pdf": "application/pdf",
}
# Control characters but tab, line feed, form feed and carriage return.
_CONTROL = bytes({*range(32), 127} - {9, 10, 12, 13})
_MARKUP = re.compile(rb"\s*<[A-Za-z!?/]")


class Sniffed(msgspec.Struct, frozen=True):
    """A type out of `TAKEN`; pixels of an image, where its head tells them."""

    content_type: str
    width: int | None = None
    height: int | None = None


class Sniffer:
    """Looks at a stream of bytes; keeps its first 256 KiB."""

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
        """Raises `NotTaken`, and `Invalid` where there was nothing at all."""
        if not self._head:
            raise Invalid({"file": "is empty"})
        rest = b""
        if self._type is None:
            self._decide()
            rest = bytes(self._head)
        assert self._type is not None
        if self._type == "text/plain":
            self._read_text(rest, final=True)
        if not self._type.startswith("image/"):
            return Sniffed(self._type)
        return Sniffed(self._type, *_pixels(bytes(self._head)))

    def _decide(self) -> None:
        head = bytes(self._head)
        found = binary_type(head)
        if found is None and (_MARKUP.match(head.removeprefix(codecs.BOM_UTF8)) or _is_named(head)):
            raise _not_taken(head)
        # What is none of these may be text; whether it is, every byte of it has a say in.
        self._type = found or "text/plain"

    def _read_text(self, chunk: bytes, *, final: bool) -> None:
        try:
            self._text.decode(chunk, final)
        except UnicodeDecodeError:
            raise _not_taken(bytes(self._head)) from None
        if len(chunk.translate(None, _CONTROL)) != len(chunk):
            raise _not_taken(bytes(self._head))


def binary_type(head: bytes) -> str | None:
    """The type out of `TAKEN` that a file's beginning shows, but for text; None for any other."""
    for read in (iso_media, matroska, ogg, mpeg_audio, bitmap, _signature):
        found = read(head)
        if found is not None:
            return found
    return None


def _signature(head: bytes) -> str | None:
    """Of the signatures at the very beginning: further on, four letters are a word of a text, too.

    To RIFF alone puremagic gives the extension of everything that RIFF may hold.
    """
    told = [each for each in _matches(head) if head.startswith(each.byte_match)]
    names = [each.extension for each in told if each.byte_match != b"RIFF"]
    return next((_TYPES[name] for name in names if name in _TYPES), None)


def _is_named(head: bytes) -> bool:
    """Whether puremagic knows it, by a signature that no text begins with by chance."""
    sure = [each for each in _matches(head) if each.offset == 0 and len(each.byte_match) >= 5]
    return any(not each.mime_type.startswith("text/") for each in sure if each.mime_type)


def _matches(head: bytes) -> list[puremagic.PureMagicWithConfidence]:
    """What puremagic takes it for, likeliest first."""
    try:
        # The end of a head is not the end of its file: with zeros no signature of an end fits.
        found = puremagic.magic_string(head[:TYPE_BYTES] + bytes(256))
    except puremagic.PureError:
        return []
    return [each for each in found if each.offset >= 0]


def _not_taken(head: bytes) -> NotTaken:
    name = next((each.mime_type for each in _matches(head) if each.mime_type), None)
    seen = f"this looks like {name}; " if name is not None and name not in TAKEN else ""
    return NotTaken(f"{seen}what is taken: {WORDS}")


class _Reader(io.BytesIO):
    """A head that is read so often and no more: rubbish may be made of ten thousands of parts."""

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

"""What bytes are, by themselves: neither a file's name nor its declared type is believed.

    sniffer = Sniffer()
    sniffer.feed(chunk)         # of every chunk; raises NotTaken as soon as it shows
    found = sniffer.finish()    # found.content_type, found.width, found.height

puremagic names what has a long signature. Where signatures are short or shared by several types
(ISO media files, RIFF, Matroska, Ogg, MPEG audio, BMP, text) the checks are our own.
"""

import codecs
import io
import re
import struct
from collections.abc import Callable
from typing import Any

import imagesize
import msgspec
import puremagic

from protocol.errors import Invalid, NotTaken

# Types by what people call them; any other is refused, SVG and HTML too: they carry programs.
TAKEN = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WebP",
    "image/avif": "AVIF",
    "image/bmp": "BMP",
    "video/mp4": "MP4",
    "video/quicktime": "QuickTime",
    "video/webm": "WebM",
    "video/x-matroska": "Matroska",
    "video/ogg": "OGG video",
    "audio/mpeg": "MP3",
    "audio/aac": "AAC",
    "audio/mp4": "M4A",
    "audio/ogg": "OGG",
    "audio/wav": "WAV",
    "audio/flac": "FLAC",
    "application/pdf": "PDF",
    "text/plain": "plain UTF-8 text",
}
WORDS = ", ".join(TAKEN.values())

# The type is told by so much; the size of an image may stand behind its colour profile and preview.
TYPE_BYTES = 4096
HEAD_BYTES = 256 << 10
PIXELS_MAX = 2**31 - 1
READS_MAX = 2000  # some 5 ms; a photograph takes twenty

# puremagic's names for what it knows for sure.
_SURE = {
    "image/jpeg": "image/jpeg",
    "image/png": "image/png",
    "image/gif": "image/gif",
    "audio/flac": "audio/flac",
    "application/pdf": "application/pdf",
}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"M4P ": "audio/mp4",
    b"F4A ": "audio/mp4",
}
_VIDEO_BRAND = re.compile(rb"iso[m2-9a-c]|mp4[12]|avc1|M4V[ HP]|MSNV|dash|f4v |F4V |mmp4|cmf[cs]")
_QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
# Control characters but tab, line feed, form feed and carriage return.
_CONTROL = bytes({*range(32), 127} - {9, 10, 12, 13})
_MARKUP = re.compile(rb"\s*<[A-Za-z!?/]")
_LAYER_3_KBPS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
}
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


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
    for read in (_iso_media, _riff, _matroska, _ogg, _mpeg_audio, _bitmap):
        found = read(head)
        if found is not None:
            return found
    return next((_SURE[name] for name in _names(head) if name in _SURE), None)


def _names(head: bytes) -> list[str]:
    """What puremagic calls it, likeliest first."""
    return [each.mime_type for each in _magic(head) if each.mime_type]


def _is_named(head: bytes) -> bool:
    """Whether puremagic knows it, by a signature that no text begins with by chance."""
    sure = [each for each in _magic(head) if each.offset == 0 and len(each.byte_match) >= 5]
    return any(not each.mime_type.startswith("text/") for each in sure if each.mime_type)


def _magic(head: bytes) -> list[Any]:
    try:
        # The end of a head is not the end of its file: with zeros no signature of an end fits.
        found = puremagic.magic_string(head[:TYPE_BYTES] + bytes(256))
    except (puremagic.PureError, ValueError):
        return []
    return [each for each in found if each.offset >= 0]


def _not_taken(head: bytes) -> NotTaken:
    names = _names(head)
    seen = f"this looks like {names[0]}; " if names and names[0] not in TAKEN else ""
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


def _iso_media(head: bytes) -> str | None:
    """ISO/IEC 14496-12: the brands of the first box; old QuickTime has none."""
    if len(head) < 12:
        return None
    size, kind = struct.unpack(">I4s", head[:8])
    if kind in _QUICKTIME and (size >= 8 or size == 1):
        return "video/quicktime"
    if kind != b"ftyp" or not 16 <= size <= TYPE_BYTES:
        return None
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(size, len(head) - 3), 4))]
    for brand in brands:
        if brand in _BRANDS:
            return _BRANDS[brand]
    if brands[0] in (b"heic", b"heix", b"mif1", b"msf1", b"crx "):
        return None  # pictures of kinds that browsers do not show
    return "video/mp4" if any(_VIDEO_BRAND.fullmatch(brand) for brand in brands) else None


def _riff(head: bytes) -> str | None:
    """One container for sounds, pictures and films: its form tells which."""
    forms = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
    return forms.get(head[8:12]) if head.startswith(b"RIFF") else None


def _matroska(head: bytes) -> str | None:
    """EBML (RFC 8794 §11.2.4): the document type in the header tells WebM from Matroska."""
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    found = re.search(rb"\x42\x82[\x84\x88](webm|matroska)", head[:TYPE_BYTES])
    if found is None:
        return None
    return "video/webm" if found[1] == b"webm" else "video/x-matroska"


def _ogg(head: bytes) -> str | None:
    """RFC 3533: the first pages begin the streams, each with a codec's name (RFC 5334)."""
    if not head.startswith(b"OggS\x00"):
        return None
    return "video/ogg" if re.search(rb"\x80theora|BBCD\x00", head[:TYPE_BYTES]) else "audio/ogg"


def _bitmap(head: bytes) -> str | None:
    """Two letters are no signature: the reserved zeros and a header that exists."""
    if len(head) < 26 or head[:2] != b"BM" or head[6:10] != bytes(4):
        return None
    return "image/bmp" if int.from_bytes(head[14:18], "little") in _BMP_HEADERS else None


def _mpeg_audio(head: bytes) -> str | None:
    """Eleven or twelve set bits are no signature either: a second frame stands where the first
    ends, if it is in the head at all. In front of them there may be a tag (ID3v2 §3.1)."""
    at = 0
    if head.startswith(b"ID3") and len(head) >= 10 and max(head[6:10]) < 0x80:
        size = (head[6] << 21) | (head[7] << 14) | (head[8] << 7) | head[9]
        at = 10 + size + (10 if head[5] & 0x10 else 0)
        if at + 4 > len(head):
            return "audio/mpeg"  # a picture of its cover: the frames come behind the head
    kinds: tuple[tuple[str, Callable[[bytes], int | None]], ...] = (
        ("audio/mpeg", _layer_3_bytes),
        ("audio/aac", _adts_bytes),
    )
    for kind, length in kinds:
        first = length(head[at : at + 8])
        if first is not None:
            following = head[at + first : at + first + 8]
            if len(following) < 8 or length(following) is not None:
                return kind
    return None


def _layer_3_bytes(frame: bytes) -> int | None:
    """The length of an MPEG audio layer 3 frame by its header (ISO/IEC 11172-3 §2.4.2.3)."""
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:
        return None
    version, rate, index = (frame[1] >> 3) & 3, (frame[2] >> 2) & 3, frame[2] >> 4
    if version == 1 or rate == 3 or index in (0, 15):
        return None
    kbps = _LAYER_3_KBPS[3 if version == 3 else 2][index]
    per_frame = 144_000 if version == 3 else 72_000
    return per_frame * kbps // _RATES_HZ[version][rate] + ((frame[2] >> 1) & 1)


def _adts_bytes(frame: bytes) -> int | None:
    """The length of an AAC frame by its ADTS header (ISO/IEC 13818-7 §6.2)."""
    if len(frame) < 7 or frame[0] != 0xFF or frame[1] & 0xF6 != 0xF0 or (frame[2] >> 2) & 15 > 12:
        return None
    length = ((frame[3] & 3) << 11) | (frame[4] << 3) | (frame[5] >> 5)
    return length if length >= 7 else None

"""Types whose signature is short, or shared by several types.

Each function takes the beginning of a file and returns its type, or None. puremagic gets all of
these wrong: it takes the size of an MP4's first box for its brand, every EBML file for WebM, every
Ogg file for all types that Ogg may hold, and two letters for a bitmap.
"""

import re
import struct

# How much of the beginning is looked at.
TYPE_BYTES = 4096

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
# For a first box without a brand. Larger boxes have a 64-bit size. Four letters of a text, read as
# a size, are larger.
_BOX_BYTES_MAX = 1 << 29
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


def iso_media(head: bytes) -> str | None:
    """ISO/IEC 14496-12: by the brands of the first box; old QuickTime has none."""
    if len(head) < 12:
        return None
    size, kind = struct.unpack(">I4s", head[:8])
    if kind in _QUICKTIME and (8 <= size < _BOX_BYTES_MAX or size == 1):
        return "video/quicktime"
    if kind != b"ftyp" or not 16 <= size <= TYPE_BYTES:
        return None
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(size, len(head) - 3), 4))]
    for brand in brands:
        if brand in _BRANDS:
            return _BRANDS[brand]
    if brands[0] in (b"heic", b"heix", b"mif1", b"msf1", b"crx "):
        return None  # image types that browsers do not show
    return "video/mp4" if any(_VIDEO_BRAND.fullmatch(brand) for brand in brands) else None


def matroska(head: bytes) -> str | None:
    """EBML (RFC 8794 §11.2.4): the document type in the header tells WebM from Matroska."""
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    found = re.search(rb"\x42\x82[\x84\x88](webm|matroska)", head[:TYPE_BYTES])
    if found is None:
        return None
    return "video/webm" if found[1] == b"webm" else "video/x-matroska"


def ogg(head: bytes) -> str | None:
    """RFC 3533: the first pages begin the streams, each with a codec's name (RFC 5334)."""
    if not head.startswith(b"OggS\x00"):
        return None
    return "video/ogg" if re.search(rb"\x80theora|BBCD\x00", head[:TYPE_BYTES]) else "audio/ogg"


def bitmap(head: bytes) -> str | None:
    """Two letters are no signature: the reserved bytes must be zero, and the header size known."""
    if len(head) < 26 or head[:2] != b"BM" or head[6:10] != bytes(4):
        return None
    return "image/bmp" if int.from_bytes(head[14:18], "little") in _BMP_HEADERS else None

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
# Pictures that browsers do not show, and protected sound: whatever else they are compatible with.
_REFUSED_BRAND = re.compile(rb"he[iv][cxms]|crx |aax[ c]|jp[2mx] |mjp2|jx[ls] ")
# Families of pictures: the other brands tell which one.
_PICTURES = (b"mif1", b"msf1", b"miaf")
_QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
# For a first box without a brand. Larger boxes have a 64-bit size. Four letters of a text, read as
# a size, are larger.
_BOX_BYTES_MAX = 1 << 29
# Where readers of PDF look for its header (ISO 32000-1, implementation note 13).
PDF_WITHIN_BYTES = 1024
_PDF_HEADER = re.compile(rb"%PDF-[12]\.\d")
_PDF_OBJECT = re.compile(rb"\d \d+ obj")
# Of a JPEG before its first frame; a photograph has ten.
SEGMENTS_MAX = 2000
_MARKER = re.compile(rb"\xff+")  # any number of them may fill up before the last
_SOF_LS = 0xF7
_NO_FRAMES = (0xC4, 0xC8, 0xCC)
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
    major, *others = (head[at : at + 4] for at in (8, *range(16, min(size, len(head) - 3), 4)))
    if major in _PICTURES:
        return "image/avif" if b"avif" in others or b"avis" in others else None
    if _REFUSED_BRAND.fullmatch(major):
        return None
    # The major brand tells; the others only if it is not known. Many a film names M4A there.
    for brands in ((major,), others):
        if any(_VIDEO_BRAND.fullmatch(brand) for brand in brands):
            return "video/mp4"
        for brand in brands:
            if brand in _BRANDS:
                return _BRANDS[brand]
    return None


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


def pdf(head: bytes) -> str | None:
    """ISO 32000: the header may be anywhere in the first 1,024 bytes, behind lines of a mail or
    what a Mac puts there. Text may tell of it, too: so its first object must follow."""
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    found = _PDF_HEADER.search(head[:PDF_WITHIN_BYTES])
    if found is None or _PDF_OBJECT.search(head, found.end(), TYPE_BYTES) is None:
        return None
    return "application/pdf"


def is_jpeg_ls(head: bytes) -> bool:
    """Whether the first frame of a JPEG is one of JPEG-LS (ISO/IEC 14495-1), which browsers do not
    show. Everything before it is skipped, segment by segment."""
    at = 2
    for _ in range(SEGMENTS_MAX):
        marker = _MARKER.match(head, at)
        if marker is None or len(head) < marker.end() + 3:
            return False
        at, kind = marker.end() - 1, head[marker.end()]
        if kind == _SOF_LS:
            return True
        if 0xC0 <= kind <= 0xCF and kind not in _NO_FRAMES:
            return False
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return False


def bitmap(head: bytes) -> str | None:
    """Two letters are no signature: the reserved bytes must be zero, and the header size known."""
    if len(head) < 26 or head[:2] != b"BM" or head[6:10] != bytes(4):
        return None
    return "image/bmp" if int.from_bytes(head[14:18], "little") in _BMP_HEADERS else None

"""Small files of every type that is taken, and of some that are not; made, not copied."""

import struct
import zlib


def png(width: int = 3, height: int = 2) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    pixels = (b"\0" + bytes(3 * width)) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg(width: int = 3, height: int = 2, exif: int = 0) -> bytes:
    """Its headers, with `exif` segments of 60,000 bytes in front of its size."""
    filler = (b"\xff\xe1" + struct.pack(">H", 60_002) + bytes(60_000)) * exif
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])
    start = b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame
    jfif = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\0\0\1\0\1\0\0"
    return b"\xff\xd8" + jfif + filler + start + b"\xff\xd9"


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def ftyp(brand: bytes, *others: bytes) -> bytes:
    return _box(b"ftyp", brand + bytes(4) + b"".join(others)) + _box(b"mdat", bytes(32))


def avif(width: int = 3, height: int = 2) -> bytes:
    size = _box(b"ispe", bytes(4) + struct.pack(">II", width, height))
    item = _box(b"infe", b"\x02\0\0\0" + struct.pack(">HH", 1, 0) + b"av01\0")
    properties = _box(b"ipco", size) + _box(b"ipma", bytes(4) + struct.pack(">IHBB", 1, 1, 1, 0x81))
    parts = _box(b"pitm", bytes(4) + struct.pack(">H", 1))
    parts += _box(b"iinf", bytes(4) + struct.pack(">H", 1) + item) + _box(b"iprp", properties)
    return _box(b"ftyp", b"avif" + bytes(4) + b"avifmif1") + _box(b"meta", bytes(4) + parts)


def webp(width: int = 3, height: int = 2) -> bytes:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + bytes(4) + sizes
    return b"RIFF" + struct.pack("<I", 4 + len(extended)) + b"WEBP" + extended


def ebml(doctype: bytes) -> bytes:
    header = b"\x42\x86\x81\x01\x42\x82" + bytes([0x80 | len(doctype)]) + doctype
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 | len(header)]) + header + bytes(40)


MP3_FRAME = b"\xff\xfb\x90\x64" + bytes(413)  # MPEG 1 layer 3, 128 kbit/s, 44.1 kHz
AAC_FRAME = b"\xff\xf1\x50\x80\x01\x1f\xfc" + bytes(1)  # eight bytes with its header
BMP = (
    b"BM"
    + struct.pack("<IHHI", 58, 0, 0, 54)
    + struct.pack("<IiiHHIIiiII", 40, 3, 2, 1, 24, *[0] * 6)
)
WAV = b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + bytes(24)
SIZE = (3, 2)
NONE = (None, None)

TAKEN: dict[str, tuple[bytes, str, tuple[int | None, int | None]]] = {
    "jpeg": (jpeg(), "image/jpeg", SIZE),
    "jpeg behind 180 kB of Exif": (jpeg(exif=3), "image/jpeg", SIZE),
    "jpeg behind 300 kB of Exif": (jpeg(exif=5), "image/jpeg", NONE),
    "png": (png(), "image/png", SIZE),
    "png, cut": (png()[:14], "image/png", NONE),
    "gif": (b"GIF89a" + struct.pack("<HH", 3, 2) + bytes(9), "image/gif", SIZE),
    "webp": (webp(), "image/webp", SIZE),
    "avif": (avif(), "image/avif", SIZE),
    "bmp": (BMP + bytes(4), "image/bmp", SIZE),
    "mp4": (ftyp(b"isom", b"iso2avc1mp41"), "video/mp4", NONE),
    "mp4 of a brand": (ftyp(b"XAVC", b"mp42"), "video/mp4", NONE),
    "quicktime": (ftyp(b"qt  "), "video/quicktime", NONE),
    "quicktime without brand": (_box(b"moov", bytes(40)), "video/quicktime", NONE),
    "webm": (ebml(b"webm"), "video/webm", NONE),
    "matroska": (ebml(b"matroska"), "video/x-matroska", NONE),
    "mp3": (MP3_FRAME * 2, "audio/mpeg", NONE),
    "mp3 with tag": (b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + MP3_FRAME * 2, "audio/mpeg", NONE),
    "mp3 with a cover": (b"ID3\4\0\0\0\x7f\x7f\x7f" + bytes(64), "audio/mpeg", NONE),
    "aac": (AAC_FRAME * 3, "audio/aac", NONE),
    "m4a": (ftyp(b"M4A ", b"isommp42"), "audio/mp4", NONE),
    "ogg": (b"OggS\0\2" + bytes(22) + b"\x1e\x01vorbis" + bytes(23), "audio/ogg", NONE),
    "ogg video": (b"OggS\0\2" + bytes(22) + b"\x2a\x80theora" + bytes(35), "video/ogg", NONE),
    "wav": (WAV, "audio/wav", NONE),
    "flac": (b"fLaC\0\0\0\x22" + bytes(34), "audio/flac", NONE),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf", NONE),
    "text": ("Grüße\r\n\tan alle\n".encode(), "text/plain", NONE),
    "text with mark": (b"\xef\xbb\xbfa,b\n1,2\n", "text/plain", NONE),
    "text that begins as a bitmap": (b"BMW and others are cars, no pictures.", "text/plain", NONE),
    "text that begins as others": (b"GIF, RIFF and ID3 are short words.", "text/plain", NONE),
    "text with a word of QuickTime": (b"the free and the wide\n", "text/plain", NONE),
    "text with a word of RIFF": (b"The new WAVE and more of it\n", "text/plain", NONE),
    "long text": ("å".encode() * 300_000, "text/plain", NONE),
    "a less-than": (b"< 3 degrees\n", "text/plain", NONE),
}

REFUSED: dict[str, bytes] = {
    "html": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    "html behind space": b"\n \t<script>alert(1)</script>",
    "html behind a mark": b"\xef\xbb\xbf<html></html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "svg in xml": b'<?xml version="1.0"?><svg/>',
    "program": b"MZ" + bytes(60),
    "elf": b"\x7fELF\2\1\1" + bytes(9),
    "zip": b"PK\3\4" + bytes(26),
    "gzip": b"\x1f\x8b\x08" + bytes(10),
    "rtf": b"{\\rtf1 hello}",
    "postscript": b"%!PS-Adobe-3.0\n",
    "heic": ftyp(b"heic", b"mif1heic"),
    "heic in a box of 28 bytes": ftyp(b"heic", b"mif1heicmiaf"),
    "jpeg 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20),
    "riff of no known form": b"RIFF\x24\0\0\0NONE" + bytes(20),
    "avi": b"RIFF\x24\0\0\0AVI LIST" + bytes(20),
    "text with a zero": b"hello\0world",
    "text with an escape": b"hello \x1b[31m",
    "latin 1": "Grüße".encode("latin-1"),
    "utf-16": "hello".encode("utf-16"),
    "half a character": "å".encode()[:1],
    "late rubbish": b"a" * 400_000 + b"\xff",
    "late zero": b"a" * 400_000 + b"\0",
    "bits of a frame": b"\xff\xfb\x90\x64" + b"\x01" * 500,
    "other ebml": ebml(b"strange"),
    "noise": bytes(range(256)),
}

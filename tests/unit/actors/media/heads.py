"""The first bytes of files as cameras, phones, encoders and offices write them, and their type.

None: refused. Made from the specifications of the formats, byte by byte.
"""

import struct

MP3 = b"\xff\xfb\x90\x64" + bytes(413)


def _ftyp(major: bytes, *compatible: bytes, minor: int = 0) -> bytes:
    size = 16 + 4 * len(compatible)
    body = b"".join((major, struct.pack(">I", minor), *compatible))
    return struct.pack(">I", size) + b"ftyp" + body + b"\0\0\0\x08free\0\0\0\x10mdat" + bytes(8)


def _jpeg(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments) + bytes(16)


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _riff(form: bytes, rest: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(rest)) + form + rest


def _ebml(kind: bytes) -> bytes:
    doctype = b"\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82"
    doctype += bytes([0x80 | len(kind)]) + kind + b"\x42\x87\x81\x04\x42\x85\x81\x02"
    size = b"\x01" + struct.pack(">Q", len(doctype))[1:]  # eight bytes, as encoders write it
    return b"\x1a\x45\xdf\xa3" + size + doctype + b"\x18\x53\x80\x67" + bytes(8)


def _ogg(packet: bytes) -> bytes:
    return b"OggS\0\2" + bytes(20) + bytes([1, len(packet)]) + packet


def _bmp(header: int) -> bytes:
    return b"BM" + struct.pack("<IHHII", 1078, 0, 0, 14 + header, header) + bytes(header)


_SIZE = b"\x08\0\2\0\3\1\1\x11\0"
_SOF0, _SOF2, _SOF55 = _segment(0xC0, _SIZE), _segment(0xC2, _SIZE), _segment(0xF7, _SIZE)
_JFIF = _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
_EXIF = _segment(0xE1, b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0")
_ADOBE = _segment(0xEE, b"Adobe\0d\0\0\0\0\0")
_SPIFF = _segment(0xE8, b"SPIFF\0\1\0\0\3\0\0\0\2\0\0\0\3\x0a\x08\6\1\0\0\0\1\0\0\0\1")
_QUANT = _segment(0xDB, bytes(65))
_PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"

HEADS: dict[str, tuple[bytes, str | None]] = {
    # ISO base media: the major brand first
    "mp4 by ffmpeg": (_ftyp(b"isom", b"isom", b"iso2", b"avc1", b"mp41", minor=512), "video/mp4"),
    "mp4 of version 2": (_ftyp(b"mp42", b"isom", b"mp42"), "video/mp4"),
    "mp4 that names sound too": (_ftyp(b"mp42", b"M4A ", b"mp42", b"isom"), "video/mp4"),
    "film of iTunes": (_ftyp(b"M4V ", b"M4V ", b"M4A ", b"mp42", b"isom", minor=1), "video/mp4"),
    "film of HandBrake": (_ftyp(b"M4V ", b"M4A ", b"mp42", b"isom"), "video/mp4"),
    "film of Apple TV": (_ftyp(b"M4VH", b"M4V ", b"M4A ", b"mp42", b"isom"), "video/mp4"),
    "film of an iPod": (_ftyp(b"M4VP", b"M4VP", b"M4A ", b"mp42"), "video/mp4"),
    "mp4 of a Sony camera": (_ftyp(b"XAVC", b"XAVC", b"mp42", b"iso2"), "video/mp4"),
    "mp4 of a PlayStation": (_ftyp(b"MSNV", b"MSNV", b"mp42", b"isom"), "video/mp4"),
    "fragmented mp4": (_ftyp(b"iso5", b"iso5", b"iso6", b"mp41"), "video/mp4"),
    "dash": (_ftyp(b"dash", b"iso6", b"mp41"), "video/mp4"),
    "cmaf": (_ftyp(b"cmfc", b"iso6", b"cmfc"), "video/mp4"),
    "mp4 of Android": (_ftyp(b"mp42", b"isom", b"mp42", b"M4A ", minor=0), "video/mp4"),
    "film of a phone, 3GPP": (_ftyp(b"3gp4", b"isom", b"3gp4"), "video/mp4"),
    "av1 film": (_ftyp(b"iso5", b"av01", b"iso5", b"mp41"), "video/mp4"),
    "flash film": (_ftyp(b"f4v ", b"isom", b"mp42", b"m4v "), "video/mp4"),
    "quicktime": (_ftyp(b"qt  ", b"qt  ", minor=0x20050300), "video/quicktime"),
    "quicktime that names mp4": (_ftyp(b"qt  ", b"qt  ", b"mp42"), "video/quicktime"),
    "mp4 that names quicktime": (_ftyp(b"mp42", b"qt  ", b"mp42"), "video/mp4"),
    "old quicktime": (b"\0\0\0\x08wide\0\0\x10\0mdat" + bytes(8), "video/quicktime"),
    "sound of iTunes": (_ftyp(b"M4A ", b"M4A ", b"mp42", b"isom", minor=512), "audio/mp4"),
    "book": (_ftyp(b"M4B ", b"M4A ", b"mp42", b"isom"), "audio/mp4"),
    "protected sound": (_ftyp(b"M4P ", b"M4A ", b"mp42"), "audio/mp4"),
    "sound of a voice recorder": (_ftyp(b"M4A ", b"3gp4", b"isom"), "audio/mp4"),
    "sound of an unknown brand": (_ftyp(b"ZZZZ", b"M4A "), "audio/mp4"),
    "avif": (_ftyp(b"avif", b"avif", b"mif1", b"miaf", b"MA1B"), "image/avif"),
    "avif sequence": (_ftyp(b"avis", b"avif", b"avis", b"msf1", b"iso8"), "image/avif"),
    "avif by its second brand": (_ftyp(b"mif1", b"mif1", b"avif", b"miaf"), "image/avif"),
    "heic of a phone": (_ftyp(b"heic", b"mif1", b"heic"), None),
    "heic that names mp4": (_ftyp(b"heic", b"mif1", b"heic", b"isom", b"mp42"), None),
    "heif": (_ftyp(b"mif1", b"mif1", b"heic"), None),
    "heic burst": (_ftyp(b"hevc", b"msf1", b"hevc", b"iso8"), None),
    "raw of Canon": (_ftyp(b"crx ", b"crx ", b"isom"), None),
    "protected book": (_ftyp(b"aax ", b"aax ", b"M4B ", b"mp42"), None),
    # JPEG and its relatives
    "jpeg of the web": (_jpeg(_JFIF, _QUANT, _SOF0), "image/jpeg"),
    "jpeg of a camera": (_jpeg(_EXIF, _QUANT, _SOF0), "image/jpeg"),
    "progressive jpeg": (_jpeg(_JFIF, _QUANT, _SOF2), "image/jpeg"),
    "jpeg of Photoshop": (_jpeg(_ADOBE, _QUANT, _SOF0), "image/jpeg"),
    "jpeg without any mark": (_jpeg(_QUANT, _SOF0), "image/jpeg"),
    "spiff": (_jpeg(_SPIFF, _QUANT, _SOF0), "image/jpeg"),
    "jpeg-ls": (_jpeg(_SOF55), None),
    "jpeg-ls in spiff": (_jpeg(_SPIFF, _SOF55), None),
    "jpeg-ls behind a comment": (_jpeg(_segment(0xFE, b"by CharLS"), b"\xff", _SOF55), None),
    "jpeg 2000": (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 ", None),
    "jpeg 2000, jpx": (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjpx \0\0\0\0jpx ", None),
    "jpeg 2000, film": (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypmjp2\0\0\0\0mjp2", None),
    "jpeg 2000 code stream": (b"\xff\x4f\xff\x51\0\x2f\0\0" + bytes(24), None),
    "jpeg xl": (b"\xff\x0a\xfa\x1f\x41\x91" + bytes(16), None),
    "jpeg xl in a box": (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl ", None),
    "jpeg xr": (b"II\xbc\x01\x20\0\0\0" + bytes(16), None),
    # Other pictures
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\3\0\0\0\2\x08\2\0\0\0", "image/png"),
    "gif 87": (b"GIF87a\3\0\2\0\x80\0\0" + bytes(8), "image/gif"),
    "gif 89": (b"GIF89a\3\0\2\0\xf7\0\0" + bytes(8), "image/gif"),
    "webp, lossy": (_riff(b"WEBP", b"VP8 \x10\0\0\0" + bytes(16)), "image/webp"),
    "webp, lossless": (_riff(b"WEBP", b"VP8L\x10\0\0\0\x2f" + bytes(15)), "image/webp"),
    "webp, extended": (_riff(b"WEBP", b"VP8X\x0a\0\0\0" + bytes(10)), "image/webp"),
    "bmp": (_bmp(40), "image/bmp"),
    "bmp of version 5": (_bmp(124), "image/bmp"),
    "tiff": (b"II\x2a\0\x08\0\0\0" + bytes(16), None),
    "tiff of a Mac": (b"MM\0\x2a\0\0\0\x08" + bytes(16), None),
    "icon": (b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0" + bytes(16), None),
    "photoshop": (b"8BPS\0\1" + bytes(20), None),
    # Films and sound
    "webm": (_ebml(b"webm"), "video/webm"),
    "matroska": (_ebml(b"matroska"), "video/x-matroska"),
    "ogg vorbis": (_ogg(b"\x01vorbis" + bytes(23)), "audio/ogg"),
    "ogg opus": (_ogg(b"OpusHead\1\2\x38\1\x80\xbb\0\0" + bytes(3)), "audio/ogg"),
    "ogg theora": (_ogg(b"\x80theora\3\2\1" + bytes(32)), "video/ogg"),
    "mp3": (MP3 * 2, "audio/mpeg"),
    "mp3 with ID3v2.3": (b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + MP3 * 2, "audio/mpeg"),
    "aac": ((b"\xff\xf1\x50\x80\x01\x1f\xfc" + bytes(1)) * 3, "audio/aac"),
    "wav": (_riff(b"WAVE", b"fmt \x10\0\0\0\1\0\2\0" + bytes(12)), "audio/wav"),
    "wav for broadcasts": (_riff(b"WAVE", b"bext\x5a\2\0\0" + bytes(602)), "audio/wav"),
    "flac": (b"fLaC\0\0\0\x22\x10\0\x10\0" + bytes(30), "audio/flac"),
    "avi": (_riff(b"AVI ", b"LIST\xc0\0\0\0hdrlavih" + bytes(16)), None),
    "windows media": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c", None),
    "flash": (b"FLV\1\5\0\0\0\x09\0\0\0\0" + bytes(16), None),
    "mpeg program stream": (b"\0\0\1\xba\x44\0\4\0\4\1\1\x89\xc3\xf8" + bytes(16), None),
    "mpeg transport stream": ((b"\x47\x40\0\x10" + bytes(184)) * 4, None),
    "midi": (b"MThd\0\0\0\6\0\1\0\2\1\xe0MTrk" + bytes(16), None),
    "amr": (b"#!AMR\n\x3c\x48\xf5\x1f\x96\x66\x79", None),
    "aiff": (b"FORM\0\0\1\0AIFFCOMM" + bytes(24), None),
    # Documents
    "pdf": (_PDF, "application/pdf"),
    "pdf 2.0": (_PDF.replace(b"1.4", b"2.0"), "application/pdf"),
    "pdf behind lines": (b"\r\n\r\n" + _PDF, "application/pdf"),
    "pdf behind a mark": (b"\xef\xbb\xbf" + _PDF, "application/pdf"),
    "pdf behind a mail's header": (
        b"Content-Type: application/pdf\r\nContent-Length: 4711\r\n\r\n" + _PDF,
        "application/pdf",
    ),
    "pdf of a Mac": (b"\0\x0bdocument.pdf" + bytes(115) + _PDF, "application/pdf"),
    "pdf at 1,016": (bytes(1_016) + _PDF, "application/pdf"),
    "pdf beyond 1,024": (bytes(1_024) + _PDF, None),
    "text about pdf": (b"A file begins with %PDF-1.4 and ends with %%EOF.\n", "text/plain"),
    "page that names pdf": (b"<html><!-- %PDF-1.4\n1 0 obj --></html>", None),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", None),
    "word": (b"PK\3\4\x14\0\6\0\x08\0\0\0\x21\0" + bytes(16) + b"[Content_Types].xml", None),
    "old word": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16), None),
    "csv": (b"ts,value\r\n2026-01-01T00:00:00Z,1\r\n", "text/plain"),
    "json": (b'{"name": "menu", "items": []}\n', "text/plain"),
    "web page": (b"\xef\xbb\xbf\r\n<!doctype html><html>", None),
    "drawing": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', None),
    # Programs and archives
    "program of Windows": (b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + bytes(16), None),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4" + bytes(16), None),
    "rar": (b"Rar!\x1a\x07\1\0" + bytes(16), None),
    "web assembly": (b"\0asm\1\0\0\0" + bytes(16), None),
    "sqlite": (b"SQLite format 3\0\x10\0\1\1" + bytes(16), None),
}

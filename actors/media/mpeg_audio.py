"""MP3 and AAC, recognised by their frames.

A frame begins with eleven or twelve set bits, which is no signature: puremagic compares two bytes,
and knows only some of the values that occur. So a second frame must follow where the first one
ends.
"""

from collections.abc import Callable

_LAYER_3_KBPS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
}
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def mpeg_audio(head: bytes) -> str | None:
    """The type of a file that begins with `head`. The second frame may be beyond its end.

    There may be a tag before the frames (ID3v2 §3.1).
    """
    at = 0
    if head.startswith(b"ID3") and len(head) >= 10 and max(head[6:10]) < 0x80:
        size = (head[6] << 21) | (head[7] << 14) | (head[8] << 7) | head[9]
        at = 10 + size + (10 if head[5] & 0x10 else 0)
        if at + 4 > len(head):
            return "audio/mpeg"  # the tag has a picture of the cover: the frames follow later
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

"""Content types are detected from the content alone."""

import random
from typing import Any

import puremagic
import pytest

from actors.media.containers import TYPE_BYTES
from actors.media.sniffing import HEAD_BYTES, Sniffed, Sniffer
from protocol.errors import Invalid, NotTaken
from tests.unit.samples import REFUSED, TAKEN, png


def sniffed(content: bytes, chunk: int = 1 << 20) -> Sniffed:
    sniffer = Sniffer()
    for at in range(0, len(content), chunk):
        sniffer.feed(content[at : at + chunk])
    return sniffer.finish()


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("chunk", [1 << 20, 4099, TYPE_BYTES])
def test_a_type_that_is_taken_is_known_by_its_content(name: str, chunk: int) -> None:
    content, kind, size = TAKEN[name]
    found = sniffed(content, chunk)
    assert (found.content_type, (found.width, found.height)) == (kind, size)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("chunk", [1 << 20, 4099, TYPE_BYTES])
def test_any_other_type_is_refused_with_the_list_of_those_that_are_taken(
    name: str, chunk: int
) -> None:
    with pytest.raises(NotTaken, match=r"supported types: JPEG, PNG, .* PDF, plain UTF-8 text"):
        sniffed(REFUSED[name], chunk)


def test_what_it_looks_like_is_said_where_it_is_known() -> None:
    with pytest.raises(NotTaken, match=r"looks like image/svg\+xml"):
        sniffed(REFUSED["svg"])


def test_rubbish_shows_before_all_of_it_is_here() -> None:
    sniffer = Sniffer()
    with pytest.raises(NotTaken):
        sniffer.feed(REFUSED["zip"] + bytes(TYPE_BYTES))


def test_nothing_is_no_file() -> None:
    with pytest.raises(Invalid, match="empty"):
        Sniffer().finish()


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "webp", "avif", "bmp"])
def test_a_broken_image_is_refused_or_has_no_size_and_nothing_worse(name: str) -> None:
    rng = random.Random(name)
    content = TAKEN[name][0]
    for _ in range(200):
        broken = bytearray(content[: rng.randrange(1, len(content) + 1)])
        for _ in range(rng.randrange(4)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        try:
            found = sniffed(bytes(broken))
        except NotTaken:
            continue
        assert found.width is None or found.width > 0


def test_ten_thousands_of_parts_are_not_gone_through() -> None:
    parts = b"\xff\xd8" + b"\xff\xe1\0\2" * (HEAD_BYTES // 4)
    assert sniffed(parts) == Sniffed("image/jpeg")


def test_the_size_is_told_by_the_beginning_alone() -> None:
    assert sniffed(png(3, 2)[:33]) == Sniffed("image/png", 3, 2)


# What puremagic alone makes of files that `containers` and `mpeg_audio` tell rightly. A parser may
# go when puremagic tells its files.
WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "an MP4 of a brand that it does not know": ("mp4 of a brand", TAKEN, ""),
    "a picture whose first box has the size of an MP4's": (
        "heic in a box of 28 bytes",
        REFUSED,
        "video/mp4",
    ),
    "sound in the MP4 container": ("m4a", TAKEN, ""),
    "text with a word of QuickTime": (
        "text with a word of QuickTime",
        TAKEN,
        "video/quicktime",
    ),
    "Matroska": ("matroska", TAKEN, "video/webm"),
    "EBML of any other kind": ("other ebml", REFUSED, "video/webm"),
    "sound in Ogg": ("ogg", TAKEN, "application/ogg"),
    "a film in Ogg": ("ogg video", TAKEN, "application/ogg"),
    "bits that look like a frame of MP3": ("bits of a frame", REFUSED, "audio/mpeg"),
    "text that begins as a bitmap": ("text that begins as a bitmap", TAKEN, "image/x-ms-bmp"),
    "JPEG 2000": ("jpeg 2000", REFUSED, "image/jpeg"),
    "text with a word of RIFF": ("text with a word of RIFF", TAKEN, "audio/x-wav"),
}


@pytest.mark.parametrize("what", WRONG)
def test_parsers_of_our_own_read_what_puremagic_tells_wrongly(what: str) -> None:
    name, samples, told = WRONG[what]
    content = samples[name][0] if samples is TAKEN else samples[name]
    assert puremagic.from_string(content[:TYPE_BYTES], mime=True) == told


def test_puremagic_does_not_know_all_frames_of_mp3() -> None:
    """MPEG 2 layer 3, 64 kbit/s, 22.05 kHz."""
    frame = b"\xff\xf3\x80\x00" + bytes(204)
    with pytest.raises(puremagic.PureError):
        puremagic.from_string(frame * 2)
    assert sniffed(frame * 2) == Sniffed("audio/mpeg")

"""Each of a hundred file heads is the type that it is, also in pieces and behind more bytes."""

import pytest

from actors.media.containers import TYPE_BYTES
from actors.media.sniffing import Sniffer
from protocol.errors import NotTaken
from tests.unit.actors.media.heads import HEADS


def type_of(content: bytes, chunk: int) -> str | None:
    sniffer = Sniffer()
    try:
        for at in range(0, len(content), chunk):
            sniffer.feed(content[at : at + chunk])
        return sniffer.finish().content_type
    except NotTaken:
        return None


@pytest.mark.parametrize("name", HEADS)
def test_a_file_is_of_the_type_that_its_head_shows(name: str) -> None:
    head, kind = HEADS[name]
    assert type_of(head, len(head)) == kind
    assert type_of(head, 7) == kind
    if kind != "text/plain":
        assert type_of(head + bytes(2 * TYPE_BYTES), TYPE_BYTES) == kind


def test_a_lossless_picture_behind_much_else_is_refused_at_its_end() -> None:
    head, _ = HEADS["jpeg-ls"]
    exif = (b"\xff\xe1\xea\x62" + bytes(60_000)) * 2
    assert type_of(head[:2] + exif + head[2:], TYPE_BYTES) is None

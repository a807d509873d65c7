"""Types by content alone."""

import random

import pytest

from protocol.errors import Invalid, NotTaken
from protocol.media.sniffing import HEAD_BYTES, TYPE_BYTES, Sniffed, Sniffer
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
    with pytest.raises(NotTaken, match=r"what is taken: JPEG, PNG, .* PDF, plain UTF-8 text"):
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

"""The names under which media files are saved."""

import pytest

from protocol.media.types import SUFFIXES, TAKEN, fitting


@pytest.mark.parametrize(
    ("filename", "content_type", "saved"),
    [
        ("a.png", "image/png", "a.png"),
        ("A.JPG", "image/jpeg", "A.JPG"),
        ("photo.jpeg", "image/jpeg", "photo.jpeg"),
        ("a.exe", "image/png", "a.exe.png"),
        ("notes.bat", "text/plain", "notes.bat.txt"),
        ("readings.csv", "text/plain", "readings.csv"),
        ("film", "video/mp4", "film.mp4"),
        ("film.", "video/mp4", "film..mp4"),
        ("png", "image/png", "png.png"),
        ("a.b", "application/unknown", "a.b"),
    ],
)
def test_the_suffix_follows_the_content(filename: str, content_type: str, saved: str) -> None:
    assert fitting(filename, content_type) == saved


def test_every_type_that_is_taken_has_a_suffix() -> None:
    assert SUFFIXES.keys() == TAKEN.keys()

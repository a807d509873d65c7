"""The media library over REST (CONTRACT §2): views, counts, and how a file may be called."""

import unicodedata
from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from protocol.records import Media
from protocol.times import SECOND_US, format_us

DAY_US = 24 * 3600 * SECOND_US
STATS_DAYS = 30
FILENAME_MAX = 200
SUFFIX_MAX = 16
UNNAMED = "unnamed"

# Marks that write the rest of a name backwards: what ends in `gpj.exe` would be shown as a picture.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Control characters, halves of surrogate pairs, and ends of lines and paragraphs.
_UNSHOWN = ("Cc", "Cs", "Zl", "Zp")


class MediaView(msgspec.Struct, frozen=True, kw_only=True):
    """`sha256` in hexadecimal digits; `width` and `height` in pixels, where the file tells them."""

    id: str
    filename: str
    content_type: str
    size: int
    sha256: str
    width: int | UnsetType = UNSET
    height: int | UnsetType = UNSET
    created_at: str


class Tally(msgspec.Struct, frozen=True):
    """So many files, of so many bytes together."""

    count: int = 0
    bytes: int = 0


class DayTally(Tally, frozen=True):
    """The uploads of one day in UTC, `2026-01-31`."""

    day: str = ""


class MediaStats(msgspec.Struct, frozen=True, kw_only=True):
    """What a user's library holds; `uploads_per_day` has every one of the last thirty days."""

    count: int
    bytes: int
    by_type: dict[str, Tally]
    uploads_per_day: list[DayTally]


class MediaCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What the store counts: `by_day` has only days with uploads, as `2026-01-31`."""

    total: Tally
    by_type: dict[str, Tally]
    by_day: dict[str, Tally]


def media_view(media: Media) -> MediaView:
    return MediaView(
        id=media.id,
        filename=media.filename,
        content_type=media.content_type,
        size=media.size,
        sha256=media.sha256.hex(),
        width=UNSET if media.width is None else media.width,
        height=UNSET if media.height is None else media.height,
        created_at=format_us(media.created_us),
    )


def first_day_us(now_us: int) -> int:
    """When the thirty days begin that the statistics show: a midnight in UTC."""
    return (now_us // DAY_US - STATS_DAYS + 1) * DAY_US


def day_of(us: int) -> str:
    """The day of an instant in UTC."""
    return format_us(us)[:10]


def media_stats(counts: MediaCounts, now_us: int) -> MediaStats:
    first_us = first_day_us(now_us)
    days = [day_of(first_us + n * DAY_US) for n in range(STATS_DAYS)]
    return MediaStats(
        count=counts.total.count,
        bytes=counts.total.bytes,
        by_type=counts.by_type,
        uploads_per_day=[_of_day(day, counts.by_day) for day in days],
    )


def _of_day(day: str, by_day: Mapping[str, Tally]) -> DayTally:
    found = by_day.get(day, Tally())
    return DayTally(count=found.count, bytes=found.bytes, day=day)


def clean_filename(text: str) -> str:
    """The last part of a path, without what cannot be shown, at most 200 characters.

    A long name is cut before its suffix. What leaves nothing is called `unnamed`.
    """
    name = text.replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in name if _is_shown(c)).strip()
    if not name.strip("."):
        return UNNAMED
    if len(name) > FILENAME_MAX:
        stem, dot, suffix = name.rpartition(".")
        if not stem or len(suffix) > SUFFIX_MAX:
            return name[:FILENAME_MAX]
        name = stem[: FILENAME_MAX - len(suffix) - 1] + dot + suffix
    return name


def _is_shown(character: str) -> bool:
    return character not in _DIRECTIONS and unicodedata.category(character) not in _UNSHOWN

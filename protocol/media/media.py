"""The media library: a file's record, its views over REST (CONTRACT §2), statistics, clean names.

Sizes are in bytes, times µs since 1970.
"""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import msgspec
from msgspec import UNSET, UnsetType

from protocol.times import EPOCH
from protocol.views import view_of

STATS_DAYS = 30
FILENAME_MAX = 200
SUFFIX_MAX = 16
UNNAMED = "unnamed"

# Marks of text direction. They could make a name that ends in `gpj.exe` look like a picture's.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Control characters, lone surrogates, line and paragraph separators.
_UNSHOWN = ("Cc", "Cs", "Zl", "Zp")


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded file. Its content is stored by `sha256`, once for all users who have it.

    `content_type` is detected from the content; `size` is in bytes. `width` and `height` (pixels)
    are those of an image, if its header has them.
    """

    num: int
    id: str
    user_id: str
    filename: str
    content_type: str
    size: int
    sha256: bytes
    width: int | None = None
    height: int | None = None
    created_us: int


class MediaView(msgspec.Struct, frozen=True, kw_only=True):
    """`sha256` in hexadecimal; `width` and `height` in pixels, if the file's header has them."""

    id: str
    filename: str
    content_type: str
    size: int
    sha256: str
    width: int | UnsetType = UNSET
    height: int | UnsetType = UNSET
    created_at: str


class Tally(msgspec.Struct, frozen=True):
    """A number of files, and their bytes together."""

    count: int = 0
    bytes: int = 0


class DayTally(Tally, frozen=True):
    """The uploads of one civil day, such as `2026-01-31`."""

    day: str = ""


class MediaStats(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a user's library. `uploads_per_day` has each of the last thirty days."""

    count: int
    bytes: int
    by_type: dict[str, Tally]
    uploads_per_day: list[DayTally]


class MediaCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts from the store. `by_day` has only the days with uploads, such as `2026-01-31`."""

    total: Tally
    by_type: dict[str, Tally]
    by_day: dict[str, Tally]


def media_view(media: Media) -> MediaView:
    return view_of(
        MediaView,
        media,
        sha256=media.sha256.hex(),
        width=UNSET if media.width is None else media.width,
        height=UNSET if media.height is None else media.height,
    )


def first_day_us(now_us: int, zone: tzinfo = UTC) -> int:
    """The start (µs) of the thirty days of the statistics: a midnight in the zone."""
    first = datetime.combine(_civil(now_us, zone) - timedelta(days=STATS_DAYS - 1), time(), zone)
    return (first - EPOCH) // timedelta(microseconds=1)


def day_of(us: int, zone: tzinfo = UTC) -> str:
    """The civil day of an instant, such as `2026-01-31`."""
    return _civil(us, zone).isoformat()


def _civil(us: int, zone: tzinfo) -> date:
    return (EPOCH + timedelta(microseconds=us)).astimezone(zone).date()


def media_stats(counts: MediaCounts, now_us: int, zone: tzinfo = UTC) -> MediaStats:
    today = _civil(now_us, zone)
    days = [(today - timedelta(days=n)).isoformat() for n in range(STATS_DAYS - 1, -1, -1)]
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
    """The last part of a path, without invisible characters, at most 200 characters long.

    A long name is cut before its suffix. If nothing is left, the name is `unnamed`.
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

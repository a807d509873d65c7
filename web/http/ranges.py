"""Conditional requests and ranges (RFC 9110 §13 and §14) for content that never changes."""

import re

from quart import Request
from werkzeug.datastructures import Headers
from werkzeug.http import http_date, parse_date, parse_etags

from protocol.errors import NoSuchRange
from protocol.media.media import Media
from protocol.times import SECOND_US

# Nineteen digits reach beyond any file.
_SPAN = re.compile(r"bytes[ \t]*=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*", re.ASCII | re.IGNORECASE)


class Validators:
    """Validators of a content: its tag (strong) and its time."""

    def __init__(self, media: Media) -> None:
        self._tag = media.sha256.hex()
        self._modified_s = media.created_us // SECOND_US
        self.etag = f'"{self._tag}"'
        self.last_modified = http_date(self._modified_s)

    def is_known(self, asked: Request) -> bool:
        """Whether the client has it already (304). A tag goes before a date (§13.2.2)."""
        tags = asked.headers.get("If-None-Match")
        if tags is not None:
            return parse_etags(tags).contains_weak(self._tag)
        since = parse_date(asked.headers.get("If-Modified-Since"))
        return since is not None and self._modified_s <= since.timestamp()

    def span(self, asked: Request, size: int) -> tuple[int, int] | None:
        """The requested part, first byte and the one after the last; None for the whole.

        Raises:
            NoSuchRange: it begins beyond the end.
        """
        # A range is defined for GET only (§14.2); a part of another content is useless.
        if asked.method != "GET" or not self._is_same(asked.headers):
            return None
        return span_of(", ".join(asked.headers.getlist("Range")), size)

    def _is_same(self, headers: Headers) -> bool:
        """If-Range: by the strong tag, or by exactly this date (§13.1.5)."""
        condition = headers.get("If-Range")
        return condition is None or condition.strip() in (self.etag, self.last_modified)


def span_of(text: str, size: int) -> tuple[int, int] | None:
    """A `Range` header. Anything except one range of bytes is ignored, as §14.2 allows.

    Raises:
        NoSuchRange: it begins beyond the end.
    """
    found = _SPAN.fullmatch(text)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:  # that many bytes from the end
        if int(last) == 0:
            raise NoSuchRange(size)
        return max(0, size - int(last)), size
    start = int(first)
    if last and int(last) < start:
        return None  # §14.1.1: no range
    if start >= size:
        raise NoSuchRange(size)
    return start, min(int(last) + 1, size) if last else size

"""What bodies of the REST API share (CONTRACT §2). Times are RFC 3339 texts, ids UUIDs.

Requests with unknown fields are refused. In a PATCH, an absent field (`UNSET`) stays as it is.
"""

from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

T = TypeVar("T")

# The formats are for readers of the OpenAPI document; the handlers check them.
Id = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]

# Control characters could change the terminal of whoever reads a name; PostgreSQL cannot hold
# U+0000.
LINE = r"^[^\x00-\x1f\x7f-\x9f]*\Z"
LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*\Z"
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=LINE)]
Limit = Annotated[int, Meta(ge=1, le=1000)]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list. `next` is the cursor of the next page, null on the last. `unreadable`:
    how many rows of this page are damaged and left out; the operator's dead letters say why."""

    items: list[T]
    next: str | None = None
    unreadable: int | UnsetType = UNSET


class Deleted(msgspec.Struct, frozen=True):
    """How many were deleted."""

    deleted: int


class ProblemView(msgspec.Struct, frozen=True, kw_only=True):
    """An error (RFC 9457); `errors` by field for 422."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: dict[str, str] | UnsetType = UNSET


class Readiness(msgspec.Struct, frozen=True):
    status: Literal["ready", "degraded", "not ready", "standby"]
    checks: dict[str, str]

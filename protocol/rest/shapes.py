"""What bodies of the REST API share (CONTRACT §2). Times are RFC 3339 texts, ids UUIDs.

Requests with unknown fields are refused. In a PATCH, an absent field (`UNSET`) stays as it is.
"""

from collections.abc import Mapping
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.problems.detail import Value
from protocol.rest.patterns import LINE

T = TypeVar("T")

# The formats are for readers of the OpenAPI document; the handlers check them.
Id = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]

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


class DetailView(msgspec.Struct, frozen=True):
    """A stable code, and the values of its text."""

    code: str
    params: Mapping[str, Value]


class ProblemView(msgspec.Struct, frozen=True, kw_only=True):
    """An error (RFC 9457). `code` and `params` say the same as `detail`, for words in any language;
    `errors` and `error_codes` by field for 422. The codes are listed in docs/problems.md."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    params: Mapping[str, Value] = {}
    errors: dict[str, str] | UnsetType = UNSET
    error_codes: dict[str, DetailView] | UnsetType = UNSET


class Readiness(msgspec.Struct, frozen=True):
    status: Literal["ready", "degraded", "not ready", "standby"]
    checks: dict[str, str]

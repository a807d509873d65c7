"""The errors of Roost, drawn once.

RoostError
├─ BadPayload            bytes that the codec could not read (why, and where)
├─ Refusal               a device's message or reading that is kept but not taken (reason, detail)
├─ Problem               an answer to a person: HTTP status, title, detail
│  ├─ Invalid            422, with one message per field
│  ├─ Unauthorized       401
│  ├─ Forbidden          403
│  ├─ NotFound           404
│  ├─ Conflict           409
│  ├─ TooSlow            408
│  ├─ TooLarge           413
│  ├─ NotTaken           415, with what is taken
│  ├─ NoSuchRange        416, with the size that there is
│  ├─ Busy               503
│  └─ DiskFull           507
├─ Unavailable           a server that we need does not answer; try again
├─ Unstorable            the store refuses these rows for what they contain; do not try again
├─ Unpublishable         no broker takes this message for what it is; do not try again at once
├─ Fenced                another process leads by now: these rows are its business
├─ Stopped               the actor asked is gone
├─ BadRecurrence        a schedule's rule, zone or exclusion that cannot be (field, detail)
└─ SettingsError         a setting that cannot work; one line, exit status 2
"""

import re
from enum import StrEnum
from types import TracebackType

GROUP_SHOWN_MAX = 3
# What errors of the system begin with, and what nobody needs to read.
_NUMBER = re.compile(r"^\[Errno -?\d+\] ")


class Reason(StrEnum):
    """Why a message was not taken: the field `reason` of a rejected message."""

    BAD_TOPIC = "bad_topic"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    WRONG_SHAPE = "wrong_shape"
    TOO_MANY = "too_many"
    BAD_KEY = "bad_key"
    BAD_ID = "bad_id"
    BAD_TIME = "bad_time"
    BAD_VALUE = "bad_value"
    UNKNOWN_FEED = "unknown_feed"
    FEED_DISABLED = "feed_disabled"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_COMMAND = "unknown_command"
    TOO_FAST = "too_fast"  # counted and told, not kept
    INTERNAL_ERROR = "internal_error"
    UNSTORABLE = "unstorable"


class RoostError(Exception):
    """Every error that Roost raises on purpose."""


class BadPayload(RoostError):
    """Bytes that are not what their place asks for."""

    def __init__(self, reason: Reason, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.field = field


class Refusal(RoostError):
    """A message, or one reading of it, that is kept with its reason instead of being taken."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Problem(RoostError):
    """An answer to a person over HTTP (RFC 9457)."""

    status = 500
    title = "Internal server error"

    def __init__(self, detail: str = "", *, retry_after_s: int | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.errors: dict[str, str] = {}


class Malformed(Problem):
    status = 400
    title = "Malformed request"


class Invalid(Problem):
    """Fields that do not fit; `errors` has one message per field."""

    status = 422
    title = "Invalid fields"

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(f"{k}: {v}" for k, v in errors.items()))
        self.errors = errors


class Unauthorized(Problem):
    status = 401
    title = "Not signed in"


class Forbidden(Problem):
    status = 403
    title = "Not allowed"


class NotFound(Problem):
    status = 404
    title = "Not found"


class Conflict(Problem):
    status = 409
    title = "Conflict"


class TooSlow(Problem):
    status = 408
    title = "Request too slow"


class Outdated(Conflict):
    """What was to be changed has been changed by somebody else since it was read."""

    def __init__(self) -> None:
        super().__init__("it was changed at the same time; look at it again")


class PreconditionFailed(Problem):
    status = 412
    title = "Changed meanwhile"


class TooLarge(Problem):
    status = 413
    title = "Body too large"


class NotTaken(Problem):
    status = 415
    title = "Unsupported media type"


class NoSuchRange(Problem):
    """The range asked for lies beyond the `size` bytes that there are."""

    status = 416
    title = "No such range"

    def __init__(self, size: int) -> None:
        super().__init__(f"the content has {size} bytes")
        self.size = size


class TooMany(Problem):
    status = 429
    title = "Too many requests"


class BadGateway(Problem):
    """A service of others that we ask does not answer, or answers rubbish."""

    status = 502
    title = "Bad gateway"


class Busy(Problem):
    status = 503
    title = "Temporarily unavailable"


class DiskFull(Problem):
    status = 507
    title = "Insufficient storage"


class Unavailable(RoostError):
    """A server that we need (database, broker) does not answer; the caller may try again."""


class Unstorable(RoostError):
    """The store refuses this batch for what it contains; trying again cannot help."""


class Unpublishable(RoostError):
    """A message of ours that no broker takes for its topic or its size, or that one has ended
    connections for."""


class Fenced(RoostError):
    """The process that asks leads no more; another one has the messages that this came from."""


class Stopped(RoostError):
    """The actor that should have answered is gone."""


class BadRecurrence(RoostError):
    """A recurrence rule, a zone or an exclusion that cannot be, or would take too long."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.detail = detail


class SettingsError(RoostError):
    """A setting that cannot work."""


def in_words(error: BaseException) -> str:
    """What an error says, in a line for people: in logs, in reasons, on `/readyz`. Never empty.

    Ours speak for themselves; of others the kind is told, too. `str` of many says nothing at all:
    of `TimeoutError()`, of a failed `assert`.
    """
    if isinstance(error, BaseExceptionGroup):
        told = list(dict.fromkeys(in_words(each) for each in error.exceptions))
        return "; ".join(told[:GROUP_SHOWN_MAX])
    kind = type(error).__name__
    said = _NUMBER.sub("", " ".join(str(error).split()))
    if said:
        return said if isinstance(error, RoostError) else f"{kind}: {said}"
    if isinstance(error, TimeoutError) or "Timeout" in kind or "TooSlow" in kind:
        return f"{kind}: no answer in time"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and str(cause):
        return f"{kind}, because of {in_words(cause)}"
    place = _place(error.__traceback__)
    return f"{kind} in {place}" if place else kind


def _place(trace: TracebackType | None) -> str:
    """The function that raised it."""
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"

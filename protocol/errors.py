"""All errors that Roost raises on purpose, and their HTTP statuses.

RoostError
├─ BadPayload            bytes that the codec could not decode (reason, detail, field)
├─ Refusal               a device's message or reading that is stored as refused (reason, detail)
├─ Problem               an error response of the REST API: HTTP status, title, code, detail
│  ├─ Invalid            422, with one message per field
│  ├─ Unauthorized       401
│  ├─ Forbidden          403
│  ├─ NotFound           404
│  ├─ Conflict           409
│  ├─ TooSlow            408
│  ├─ TooLarge           413
│  ├─ NotTaken           415, names the supported types
│  ├─ NoSuchRange        416, with the size of the content
│  ├─ Busy               503
│  └─ DiskFull           507
├─ Unavailable           a server that Roost needs does not answer; try again
├─ Unstorable            the store refuses these rows because of their content; do not try again
│  └─ Unreadable         a stored record cannot be read or shown; its text is for whoever asked
├─ Unpublishable         no broker accepts this message; do not try again at once
├─ Fenced                another process leads now, and its rows count
├─ Stopped               the actor that was asked has ended
├─ BadRecurrence         an invalid recurrence rule, time zone or exclusion (field, detail)
└─ SettingsError         a setting that cannot work: one line, exit status 2
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import TracebackType

from protocol.problems.detail import Detail, Value

GROUP_SHOWN_MAX = 3
# The prefix of operating system errors, which tells a reader nothing.
_NUMBER = re.compile(r"^\[Errno -?\d+\] ")


class Reason(StrEnum):
    """Why a message was refused: the field `reason` of a rejected message."""

    BAD_TOPIC = "bad_topic"
    DENIED = "denied"  # by the broker: Roost did not receive it
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
    TOO_FAST = "too_fast"  # counted and reported to the device, not kept
    INTERNAL_ERROR = "internal_error"
    UNSTORABLE = "unstorable"


class RoostError(Exception):
    """Every error that Roost raises on purpose."""


class BadPayload(RoostError):
    """Bytes that cannot be decoded, or do not have the expected shape.

    `field` is the path of the wrong field, "" for the whole.
    """

    def __init__(self, reason: Reason, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.field = field


class Refusal(RoostError):
    """A message, or one reading of it, that is stored as refused, with its reason.

    `detail` is the English text of `said`, made when somebody asks for it.
    """

    def __init__(self, reason: Reason, said: Detail) -> None:
        super().__init__(reason, said)
        self.reason = reason
        self.said = said

    @property
    def detail(self) -> str:
        return str(self.said)

    def __str__(self) -> str:
        return self.detail

    def kept(self) -> "Refusal":
        """The same, to be kept in a message: without where it was raised, and because of what.

        A traceback holds every frame of the stack, and these hold the message. No collection finds
        that: messages are not looked at (`gc=False`).
        """
        return Refusal(self.reason, self.said)


class Problem(RoostError):
    """An error response over HTTP (RFC 9457 problem details).

    `detail` is the English text of `code` and `params`; `errors` has one text per invalid field.
    """

    status = 500
    title = "Internal server error"

    def __init__(self, detail: Detail, *, retry_after_s: int | None = None) -> None:
        super().__init__(str(detail))
        self.detail = str(detail)
        self.code = detail.code
        self.params: Mapping[str, Value] = detail.params
        self.retry_after_s = retry_after_s
        self.errors: Mapping[str, Detail] = {}


class Malformed(Problem):
    status = 400
    title = "Malformed request"


class Invalid(Problem):
    """Invalid fields; each text reads on from its field's name. `detail` has all of them."""

    status = 422
    title = "Invalid fields"

    def __init__(self, errors: Mapping[str, Detail]) -> None:
        super().__init__(Detail("invalid"))
        self.detail = "; ".join(f"{name}: {detail}" for name, detail in errors.items())
        self.args = (self.detail,)
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
    """The object has been changed by another request since it was read."""

    def __init__(self) -> None:
        super().__init__(Detail("outdated"))


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
    """The requested range is beyond the end of the content; `size` is in bytes."""

    status = 416
    title = "No such range"

    def __init__(self, size: int) -> None:
        super().__init__(Detail("range_not_satisfiable", size=size))
        self.size = size


class TooMany(Problem):
    status = 429
    title = "Too many requests"


class BadGateway(Problem):
    """Another company's service does not answer, or sends an invalid answer."""

    status = 502
    title = "Bad gateway"


class Busy(Problem):
    status = 503
    title = "Temporarily unavailable"


class DiskFull(Problem):
    status = 507
    title = "Insufficient storage"


class Unavailable(RoostError):
    """A server that Roost needs (database, broker) does not answer; the caller may try again."""


class Unstorable(RoostError):
    """The store refuses this batch because of its content; trying again cannot help."""


class Unreadable(Unstorable):
    """A stored record that nobody can read or show. Its text is for whoever asked for it."""


class Unpublishable(RoostError):
    """A message that no broker accepts because of its topic or size, or for which the broker has
    repeatedly ended the connection."""


class Fenced(RoostError):
    """This process no longer leads; another one now has the messages behind this batch."""


class Stopped(RoostError):
    """The actor that should have answered has ended."""


class BadRecurrence(RoostError):
    """A recurrence rule, time zone or exclusion that is invalid, or would take too long.

    `field` is the REST field, `detail` reads on from its name.
    """

    def __init__(self, field: str, detail: Detail) -> None:
        super().__init__(str(detail))
        self.field = field
        self.detail = detail


class SettingsError(RoostError):
    """A setting that cannot work."""


def in_words(error: BaseException) -> str:
    """An error as one line for people, in logs, in reasons and on `/readyz`. Never empty.

    Other errors than Roost's own are shown with their type, because `str` of many is empty
    (`TimeoutError()`, a failed `assert`).
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
    """The qualified name of the function that raised the error; "" without a traceback."""
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"

"""Errors for clients: the only file that turns them into statuses and close codes."""

import structlog
from msgspec import UNSET
from quart import Response
from werkzeug.exceptions import HTTPException

from protocol import codec
from protocol.errors import (
    Busy,
    Malformed,
    NoSuchRange,
    Problem,
    Unauthorized,
    Unavailable,
    Unreadable,
    Unstorable,
    in_words,
)
from protocol.problems.detail import Detail
from protocol.rest.shapes import DetailView, ProblemView

log = structlog.get_logger("roost.web")

# WebSocket close codes (RFC 6455 §7.4; 4000 to 4999 are for applications).
CLOSE_GOING_AWAY = 1001
CLOSE_TRY_AGAIN = 1013
CLOSE_UNAUTHORIZED = 4401

MEDIA_TYPE = "application/problem+json"
# The code of a wrong login of a device; all others sign in with a token.
DEVICE_LOGIN = "device_login_invalid"

# What Quart refuses by itself.
_CODES = {
    404: "path_not_found",
    405: "method_not_allowed",
    408: "request_too_slow",
    413: "request_too_large",
}


def answer(view: ProblemView, retry_after_s: int | None = None) -> Response:
    response = Response(codec.encode(view), status=view.status, content_type=MEDIA_TYPE)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def of_problem(problem: Problem) -> Response:
    view = ProblemView(
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        params=problem.params,
        errors={name: str(detail) for name, detail in problem.errors.items()} or UNSET,
        error_codes={
            name: DetailView(detail.code, detail.params) for name, detail in problem.errors.items()
        }
        or UNSET,
    )
    response = answer(view, problem.retry_after_s)
    if isinstance(problem, Unauthorized):
        is_device = problem.code == DEVICE_LOGIN
        response.headers["WWW-Authenticate"] = 'Basic realm="device"' if is_device else "Bearer"
    if isinstance(problem, NoSuchRange):
        response.headers["Content-Range"] = f"bytes */{problem.size}"
    return response


def of_unavailable(error: Unavailable) -> Response:
    """The database or broker is away: say so, and when to retry, without its error message."""
    log.warning("request failed: a server is away", error=in_words(error))
    return of_problem(Busy(Detail("database_away"), retry_after_s=2))


def of_unstorable(error: Unstorable) -> Response:
    """The database cannot store or compare a value of the request: beyond the range of its
    types."""
    log.info("request refused by the database", error=in_words(error))
    return of_problem(Malformed(Detail("value_not_storable")))


def of_unreadable(error: Unstorable) -> Response:
    """The database refuses although the request has nothing to refuse: a stored row is damaged."""
    log.error("stored data cannot be read", error=in_words(error.__cause__ or error))
    # What is known about this record is for whoever asked for it.
    return _of_server("unreadable", str(error) if isinstance(error, Unreadable) else None)


def of_http(error: HTTPException) -> Response:
    """Errors of Quart itself: unknown paths, methods, bodies that are too large."""
    status = error.code or 500
    detail = Detail(_CODES.get(status, "request_refused"))
    response = answer(
        ProblemView(title=error.name, status=status, detail=str(detail), code=detail.code)
    )
    for name, value in error.get_headers():
        if name.lower() in ("allow", "location"):
            response.headers[name] = value
    return response


def of_bug(error: Exception) -> Response:
    """Any other error is a bug; the client only learns that it happened."""
    log.error("request failed", error=in_words(error), exc_info=error)
    return _of_server("internal_error")


def _of_server(code: str, text: str | None = None) -> Response:
    detail = text or str(Detail(code))
    return answer(ProblemView(title="Internal server error", status=500, detail=detail, code=code))

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
from protocol.rest.shapes import ProblemView

log = structlog.get_logger("roost.web")

# WebSocket close codes (RFC 6455 §7.4; 4000 to 4999 are for applications).
CLOSE_GOING_AWAY = 1001
CLOSE_TRY_AGAIN = 1013
CLOSE_UNAUTHORIZED = 4401

MEDIA_TYPE = "application/problem+json"


def answer(view: ProblemView, retry_after_s: int | None = None) -> Response:
    response = Response(codec.encode(view), status=view.status, content_type=MEDIA_TYPE)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def of_problem(problem: Problem) -> Response:
    view = ProblemView(
        title=problem.title,
        status=problem.status,
        detail=problem.detail or problem.title,
        errors=problem.errors or UNSET,
    )
    response = answer(view, problem.retry_after_s)
    if isinstance(problem, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(problem, NoSuchRange):
        response.headers["Content-Range"] = f"bytes */{problem.size}"
    return response


def of_unavailable(error: Unavailable) -> Response:
    """The database or broker is away: say so, and when to retry, without its error message."""
    log.warning("request failed: a server is away", error=in_words(error))
    return of_problem(Busy("The database does not answer at the moment", retry_after_s=2))


def of_unstorable(error: Unstorable) -> Response:
    """The database cannot store or compare a value of the request: beyond the range of its
    types."""
    log.info("request refused by the database", error=in_words(error))
    return of_problem(Malformed("A value is outside the range that can be stored"))


def of_unreadable(error: Unstorable) -> Response:
    """The database refuses although the request has nothing to refuse: a stored row is damaged."""
    log.error("stored data cannot be read", error=in_words(error.__cause__ or error))
    detail = "The stored data cannot be read; the error was logged"
    if isinstance(error, Unreadable):
        detail = str(error)
    return answer(ProblemView(title="Internal server error", status=500, detail=detail))


def of_http(error: HTTPException) -> Response:
    """Quart's own errors: unknown paths, methods, bodies that are too large."""
    status = error.code or 500
    response = answer(
        ProblemView(title=error.name, status=status, detail=error.description or error.name)
    )
    for name, value in error.get_headers():
        if name.lower() in ("allow", "location"):
            response.headers[name] = value
    return response


def of_bug(error: Exception) -> Response:
    """Any other error is a bug; the client only learns that it happened."""
    log.error("request failed", error=in_words(error), exc_info=error)
    detail = "Something went wrong on our side; it was logged"
    return answer(ProblemView(title="Internal server error", status=500, detail=detail))

"""What every answer gets: a request id, headers for browsers, and CORS.

* `X-Request-Id`: as the client sent it, or a new one; it is in every log line of the request.
* CORS (Fetch Standard §3.2): off, except for origins that the operator names. They may send tokens,
  never the cookie.
"""

import re
from collections.abc import Collection
from itertools import count

import structlog
from quart import Quart, Request, Response, g, request

from actors.ports.ids import Ids

ID_HEADER = "X-Request-Id"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
# So that scripts cannot run, whatever an answer contains.
STRICT = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
# What a page of Roost never asks of a browser; a script that slips in cannot either.
NOTHING = ", ".join(
    f"{each}=()"
    for each in (
        *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope"),
        *("hid", "magnetometer", "microphone", "midi", "payment", "serial", "usb"),
    )
)
HSTS_S = 365 * 24 * 3600

ALLOWED = "GET, POST, PATCH, DELETE, OPTIONS"
ASKED = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, X-Auth-Token, X-Request-Id,"
    " X-Second-Factor"
)
SHOWN = "ETag, Retry-After, X-Request-Id"
PREFLIGHT_S = 600


def install(app: Quart, ids: Ids, origins: Collection[str], *, is_https: bool) -> None:
    """Before and after every request of the app.

    Args:
        origins: such as `https://app.example`; their pages may use the API.
        is_https: whether the public URL is https.
    """
    prefix = ids.uuid()[:8]
    numbers = count(1)

    async def begin() -> Response | None:
        said = request.headers.get(ID_HEADER, "")
        g.request_id = said if _ID.fullmatch(said) else f"{prefix}-{next(numbers)}"
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        return _preflight(request, origins)

    async def end(response: Response) -> Response:
        headers = response.headers
        headers[ID_HEADER] = g.get("request_id", "")
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "no-referrer")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Content-Security-Policy", STRICT)
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", NOTHING)
        if is_https or _is_over_tls(request):
            headers.setdefault("Strict-Transport-Security", f"max-age={HSTS_S}")
        if request.path.startswith("/api/"):
            headers.setdefault("Cache-Control", "no-store")
        if origins:
            headers.add("Vary", "Origin")
            if request.headers.get("Origin") in origins:
                headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
                headers["Access-Control-Expose-Headers"] = SHOWN
        structlog.contextvars.unbind_contextvars("request_id")
        return response

    app.before_request(begin)
    app.after_request(end)


def _is_over_tls(asked: Request) -> bool:
    """Whether this server itself speaks TLS to the client. Not for `localhost`: browsers would
    demand TLS of every other server of that machine for a year."""
    host = asked.host.rpartition(":")[0] or asked.host
    return asked.scheme == "https" and host != "localhost" and not host.endswith(".localhost")


def _preflight(asked: Request, origins: Collection[str]) -> Response | None:
    """The answer to a browser's preflight request."""
    is_asked = asked.method == "OPTIONS" and "Access-Control-Request-Method" in asked.headers
    if not is_asked or asked.headers.get("Origin") not in origins:
        return None
    headers = {
        "Access-Control-Allow-Methods": ALLOWED,
        "Access-Control-Allow-Headers": ASKED,
        "Access-Control-Max-Age": str(PREFLIGHT_S),
    }
    response = Response(b"", 204, headers)
    response.headers.pop("Content-Type", None)
    return response

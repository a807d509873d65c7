"""Browsers in which an account was signed in to before, by a signed cookie.

Wrong passwords from elsewhere do not lock such a browser out: it has a count of its own. The cookie
gives no access, and is good for the one account whose email address it was made for.
"""

import hashlib
from typing import Any

import jwt
from quart import Response

from protocol.ids import is_uuid
from web.http.context import Call

COOKIE = "roost_browser"
KEPT_S = 365 * 24 * 3600
AUDIENCE = "roost browser"


def set_browser(call: Call, response: Response, email: str) -> None:
    """Note in the browser that somebody signed in to this account with it."""
    browser = browser_of(call, email) or call.service.ids.uuid()
    claims = {"aud": AUDIENCE, "sub": _account(email), "jti": browser}
    response.set_cookie(
        COOKIE,
        jwt.encode(claims, call.settings.jwt_secret, algorithm="HS256"),
        max_age=KEPT_S,
        httponly=True,
        samesite="Lax",
        secure=call.is_https,
    )


def browser_of(call: Call, email: str) -> str | None:
    """The id of the browser; None if this account was not signed in to with it."""
    value = call.request.cookies.get(COOKIE)
    if value is None:
        return None
    try:
        claims: dict[str, Any] = jwt.decode(
            value,
            call.settings.jwt_secret,
            algorithms=["HS256"],
            audience=AUDIENCE,
            options={"require": ["sub", "jti", "aud"]},
        )
    except (jwt.InvalidTokenError, ValueError):
        return None
    browser, account = claims["jti"], claims["sub"]
    is_ours = isinstance(browser, str) and is_uuid(browser) and account == _account(email)
    return browser if is_ours else None


def _account(email: str) -> str:
    """Whoever sees the cookie does not see the address."""
    return hashlib.sha256(email.lower().encode("utf-8", "surrogatepass")).hexdigest()[:32]

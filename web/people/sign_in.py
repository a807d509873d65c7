"""Signing in: look up the account, store the session, set the cookie."""

from functools import partial

from quart import Response

from protocol import codec
from protocol.errors import Forbidden, Unauthorized
from protocol.people.networks import network_of
from protocol.people.people import SESSION_S, Session
from protocol.people.user import User
from protocol.people.views import Token
from protocol.problems.detail import Detail
from protocol.times import SECOND_US
from web.http.agents import agent_of
from web.http.auth import COOKIE
from web.http.context import Call
from web.people.activity import note
from web.people.codes import second_factor_of
from web.people.known_browsers import set_browser


async def account_of(call: Call, email: str, browser: str | None = None) -> User | None:
    """The user with this email; None if there is none.

    Raises:
        TooMany: too many incorrect sign-ins from this network, or requests under way.
        Busy: other networks go first.
    """
    call.limits.check(email, call.address, browser)
    if "\0" in email:  # PostgreSQL's text cannot hold NUL, so nobody has such an address
        return None
    look = partial(call.service.store.account, email)
    found = await call.hashing.look(call.limits.who(call.address, email, browser), look)
    if found is None:
        return None
    user, addresses = found
    if network_of(call.address) in map(network_of, addresses):
        call.limits.was_in(email, call.address)
    return user


async def begin_session(
    call: Call, user: User, verified: str | None, factor_us: int | None = None
) -> Response:
    """Create a session for this user; returns the response with its token and cookie.

    Args:
        verified: the password hash that was verified; None for another provider's sign-in.
        factor_us: when the second factor was confirmed whose code was verified; None without one.

    Raises:
        Unauthorized: the password or the second factor was changed since it was verified.
        Forbidden: the account is disabled, or is being deleted.
    """
    if user.disabled_us is not None:
        raise Forbidden(Detail("account_disabled"))
    now_us = call.service.clock.now_us()
    session = Session(
        id=call.service.ids.uuid(),
        user_id=user.id,
        created_us=now_us,
        expires_us=now_us + SESSION_S * SECOND_US,
        address=call.address,
        agent=agent_of(call.request),
    )
    if not await call.service.store.add_session(session, verified, factor_us):
        raise Unauthorized(Detail("password_changed"))
    if user.email is not None:
        call.limits.was_in(user.email, call.address)
    await note(call, user.id, "signed_in")
    token = call.auth.tokens.issue(user, session)
    response = Response(
        codec.encode(Token(token, SESSION_S)),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
    set_cookie(call, response, token)
    if user.email is not None:
        set_browser(call, response, user.email)
    return response


async def renew_cookie(call: Call, user: User) -> None:
    """A change ended all sessions: a browser that is signed in by cookie gets another one."""
    if call.principal.by_cookie:
        factor_us = await second_factor_of(call, user)
        begun = await begin_session(call, user, user.password_hash, factor_us)
        call.headers.setlist("Set-Cookie", begun.headers.getlist("Set-Cookie"))


def set_cookie(call: Call, response: Response, token: str) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=SESSION_S,
        httponly=True,
        samesite="Lax",
        secure=call.is_https,
    )

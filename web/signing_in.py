"""Signing in: how often it may be tried, what is kept of it, and the answer with its cookie."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from quart import Response

from actors.runtime.buckets import Buckets
from protocol import codec
from protocol.errors import TooMany, Unauthorized
from protocol.people import AGENT_MAX, SESSION_S, Action, AuditEntry, Session
from protocol.records import User
from protocol.resources import Token
from protocol.times import SECOND_US
from web.addresses import network_of
from web.auth import COOKIE
from web.routing import Call

# Wrong passwords: of one account from one address, of one account, from one address.
PAIR_TRIES, PAIR_EVERY_S = 10, 30.0
ACCOUNT_TRIES, ACCOUNT_EVERY_S = 50, 20.0
ADDRESS_TRIES, ADDRESS_EVERY_S = 100, 5.0
# New accounts from one address, right or wrong: each takes a third of a second of a processor.
SIGN_UPS, SIGN_UP_EVERY_S = 60, 5.0


class Attempt:
    """A try to sign in; it counts only where it was `wrong`."""

    def __init__(self) -> None:
        self.is_wrong = False

    def wrong(self) -> None:
        self.is_wrong = True


class SignInLimits:
    """Only what is wrong counts; while it is being looked at, it counts, too."""

    def __init__(self) -> None:
        self._pairs = Buckets(PAIR_TRIES, PAIR_EVERY_S)
        self._accounts = Buckets(ACCOUNT_TRIES, ACCOUNT_EVERY_S)
        self._addresses = Buckets(ADDRESS_TRIES, ADDRESS_EVERY_S)
        self._sign_ups = Buckets(SIGN_UPS, SIGN_UP_EVERY_S)

    def sign_up(self, address: str) -> None:
        """Count a new account. Raises `TooMany`."""
        wait_s = self._sign_ups.take(network_of(address))
        if wait_s:
            raise TooMany("too many new accounts from here", retry_after_s=math.ceil(wait_s))

    @contextmanager
    def trying(self, email: str | None, address: str) -> Iterator[Attempt]:
        """A try; `email` is None where another provider knows the account. What ends otherwise
        than by being wrong, because a database is away for example, is nobody's guess.

        Raises:
            TooMany: with the time after which it may be tried again.
        """
        keys = self._keys(email, address)
        taken: list[tuple[Buckets, str]] = []
        attempt = Attempt()
        try:
            for buckets, key in keys:
                wait_s = buckets.take(key)
                if wait_s:
                    detail = "too many sign-ins failed; try again later"
                    raise TooMany(detail, retry_after_s=math.ceil(wait_s))
                taken.append((buckets, key))
            yield attempt
        finally:
            if not attempt.is_wrong:
                for buckets, key in taken:
                    buckets.give_back(key)

    def _keys(self, email: str | None, address: str) -> list[tuple[Buckets, str]]:
        network = network_of(address)
        if email is None:
            return [(self._addresses, network)]
        account = email.lower()[:254]
        return [
            (self._pairs, f"{account} {network}"),
            (self._accounts, account),
            (self._addresses, network),
        ]


async def begin_session(call: Call, user: User, verified: str | None) -> Response:
    """A new session for this user, and the answer that carries its token, with the cookie.

    Args:
        verified: the hash of the password that was found to be right, if there was one.
    """
    now_us = call.house.clock.now_us()
    session = Session(
        id=call.house.ids.uuid(),
        user_id=user.id,
        created_us=now_us,
        expires_us=now_us + SESSION_S * SECOND_US,
        address=call.address,
        agent=agent_of(call),
    )
    if not await call.house.store.add_session(session, verified):
        raise Unauthorized("the password was changed meanwhile")
    await note(call, user.id, "signed_in")
    token = call.auth.tokens.issue(user, session)
    response = Response(
        codec.encode(Token(token, SESSION_S)),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
    set_cookie(call, response, token)
    return response


def set_cookie(call: Call, response: Response, token: str) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=SESSION_S,
        httponly=True,
        samesite="Lax",
        secure=call.is_https,
    )


async def note(call: Call, user_id: str, action: Action, subject: str = "") -> None:
    """Keep in the user's audit log what was done."""
    entry = AuditEntry(
        user_id=user_id,
        at_us=call.house.clock.now_us(),
        action=action,
        subject=subject[:200],
        address=call.address,
        agent=agent_of(call),
    )
    await call.house.store.add_audit(entry)


def agent_of(call: Call) -> str:
    """What the client calls itself, cut, and without what no text may hold."""
    said = call.request.headers.get("User-Agent", "")[:AGENT_MAX]
    return "".join(c if c.isprintable() else "?" for c in said).encode("utf-8", "replace").decode()

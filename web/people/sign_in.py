"""Signing in: how often it may be tried, what is kept of it, and the answer with its cookie."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from quart import Response

from actors.runtime.buckets import Buckets
from protocol import codec
from protocol.errors import TooMany, Unauthorized
from protocol.people.networks import network_of
from protocol.people.people import AGENT_MAX, SESSION_S, Action, AuditEntry, Session
from protocol.records import User
from protocol.rest.resources import Token
from protocol.times import SECOND_US
from web.http.auth import COOKIE
from web.http.routing import Call
from web.people.hashing import Who
from web.people.places import Places, place_of

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
    """Only what is wrong counts; while it is being looked at, it counts, too.

    Where somebody has signed in before, what others do elsewhere, to her account too, counts for
    nothing: nobody is kept out of an account by those who guess at it.
    """

    def __init__(self) -> None:
        self._pairs = Buckets(PAIR_TRIES, PAIR_EVERY_S)
        self._accounts = Buckets(ACCOUNT_TRIES, ACCOUNT_EVERY_S)
        self._addresses = Buckets(ADDRESS_TRIES, ADDRESS_EVERY_S)
        self._sign_ups = Buckets(SIGN_UPS, SIGN_UP_EVERY_S)
        self._places = Places()

    def sign_up(self, address: str) -> None:
        """Count a new account. Raises `TooMany`."""
        wait_s = self._sign_ups.take(network_of(address))
        if wait_s:
            raise TooMany("too many new accounts from here", retry_after_s=math.ceil(wait_s))

    def who(self, address: str, email: str | None = None) -> Who:
        """What somebody counts as where many want to be hashed."""
        if email is not None and self._places.knows(email, address):
            return Who(place_of(email, address), True)
        return Who(network_of(address), False)

    def was_in(self, email: str, address: str) -> None:
        """Whose account it is signs in there, or did."""
        self._places.add(email, address)

    def check(self, email: str, address: str) -> None:
        """Before the store is asked for an account. Raises `TooMany` for who would be refused."""
        if not self._places.knows(email, address):
            with self.trying(None, address):
                pass

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
        place = (self._pairs, place_of(email, address))
        if self._places.knows(email, address):
            return [place]
        return [place, (self._accounts, email.lower()[:254]), (self._addresses, network)]


async def account_of(call: Call, email: str) -> User | None:
    """Who has that address. Raises `TooMany` and `Busy`."""
    call.limits.check(email, call.address)
    if "\0" in email:  # PostgreSQL compares no text with it; nobody has such an address
        return None
    look = partial(call.service.store.account, email)
    found = await call.hashing.look(call.limits.who(call.address, email), look)
    if found is None:
        return None
    user, addresses = found
    if network_of(call.address) in map(network_of, addresses):
        call.limits.was_in(email, call.address)
    return user


async def begin_session(call: Call, user: User, verified: str | None) -> Response:
    """A new session for this user, and the answer that carries its token, with the cookie.

    Args:
        verified: the hash of the password that was found to be right, if there was one.
    """
    now_us = call.service.clock.now_us()
    session = Session(
        id=call.service.ids.uuid(),
        user_id=user.id,
        created_us=now_us,
        expires_us=now_us + SESSION_S * SECOND_US,
        address=call.address,
        agent=agent_of(call),
    )
    if not await call.service.store.add_session(session, verified):
        raise Unauthorized("the password was changed meanwhile")
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
        at_us=call.service.clock.now_us(),
        action=action,
        subject=subject[:200],
        address=call.address,
        agent=agent_of(call),
    )
    await call.service.store.add_audit(entry)


def agent_of(call: Call) -> str:
    """What the client calls itself, cut, and without what no text may hold."""
    said = call.request.headers.get("User-Agent", "")[:AGENT_MAX]
    return "".join(c if c.isprintable() else "?" for c in said).encode("utf-8", "replace").decode()

"""How often somebody may try to sign in, and make an account."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from actors.runtime.buckets import Buckets
from protocol.errors import TooMany
from protocol.people.networks import network_of
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

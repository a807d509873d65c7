"""Rate limits for signing in and for new accounts, as token buckets in memory."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from actors.runtime.buckets import ROUNDING_S, Buckets
from protocol.errors import TooMany
from protocol.people.networks import network_of
from protocol.problems.detail import Detail
from web.people.hashing import Who
from web.people.places import Places, place_of

# Wrong passwords: per account and network, per account, per network. After so many tries, one more
# is allowed every so many seconds.
PAIR_TRIES, PAIR_EVERY_S = 10, 30.0
ACCOUNT_TRIES, ACCOUNT_EVERY_S = 50, 20.0
ADDRESS_TRIES, ADDRESS_EVERY_S = 100, 5.0
# Wrong codes of a second factor, per account: whoever guesses them knows the password. Three of a
# million are right at a time, so with these 96 a day there is one chance in ten in a year.
CODE_TRIES, CODE_EVERY_S = 10, 900.0
# New accounts per network, successful or not: each takes a third of a second of CPU time.
SIGN_UPS, SIGN_UP_EVERY_S = 60, 5.0
# Mails that verify an address: to one address, and at the request of one network.
MAILS, MAIL_EVERY_S = 5, 600.0
NETWORK_MAILS, NETWORK_MAIL_EVERY_S = 30, 60.0
# Refused attempts at one account are in its activity log so often.
TELL_EVERY_S = 600.0


class Attempt:
    """One attempt to sign in. It counts only if `wrong` was called."""

    def __init__(self) -> None:
        self.is_wrong = False

    def wrong(self) -> None:
        self.is_wrong = True


class SignInLimits:
    """Counts wrong attempts. An attempt also counts while it is being checked.

    In a browser or a network from which the owner signed in before, attempts from elsewhere do not
    count, so nobody can lock her out by guessing at her account.
    """

    def __init__(self) -> None:
        self._pairs = Buckets(PAIR_TRIES, PAIR_EVERY_S)
        self._accounts = Buckets(ACCOUNT_TRIES, ACCOUNT_EVERY_S)
        self._addresses = Buckets(ADDRESS_TRIES, ADDRESS_EVERY_S)
        self._codes = Buckets(CODE_TRIES, CODE_EVERY_S)
        self._sign_ups = Buckets(SIGN_UPS, SIGN_UP_EVERY_S)
        self._mails = Buckets(MAILS, MAIL_EVERY_S)
        self._network_mails = Buckets(NETWORK_MAILS, NETWORK_MAIL_EVERY_S)
        self._told = Buckets(1, TELL_EVERY_S)
        self._places = Places()

    def tells(self, user_id: str) -> bool:
        """Whether the activity log tells of a refused attempt now: one of many."""
        return not self._told.take(user_id)

    def sign_up(self, address: str) -> None:
        """Count a new account. Raises `TooMany`."""
        wait_s = self._sign_ups.take(network_of(address))
        if wait_s:
            raise TooMany(Detail("too_many_accounts"), retry_after_s=math.ceil(wait_s))

    def verification(self, email: str, address: str) -> None:
        """Count a mail that verifies this address. Raises `TooMany`."""
        keys = [
            (self._mails, email.lower()[:254]),
            (self._network_mails, network_of(address)),
        ]
        with self._trying(keys, Detail("too_many_mails")) as attempt:
            attempt.wrong()

    def who(self, address: str, email: str | None = None, browser: str | None = None) -> Who:
        """Whose turn a password hash takes: that of a known browser, an account's in a known
        network, else the network's."""
        if browser is not None:
            return Who(browser, True)
        if email is not None and self._places.knows(email, address):
            return Who(place_of(email, address), True)
        return Who(network_of(address), False)

    def was_in(self, email: str, address: str) -> None:
        """Note that the account's owner signs in from this address, or did."""
        self._places.add(email, address)

    def check(self, email: str, address: str, browser: str | None) -> None:
        """Before the account is looked up. Raises `TooMany` if an attempt would be refused."""
        if browser is None and not self._places.knows(email, address):
            with self.trying(None, address):
                pass

    def trying(
        self, email: str | None, address: str, browser: str | None = None
    ) -> AbstractContextManager[Attempt]:
        """An attempt, while the block runs. It counts only if it is marked as wrong: an error of
        the database, for example, is not a guess.

        Args:
            email: None where another provider identifies the account.
            browser: in which this account was signed in to before (`known_browsers`).

        Raises:
            TooMany: with the time to wait.
        """
        return self._trying(self._keys(email, address, browser), Detail("too_many_sign_ins"))

    def trying_code(self, user_id: str, *, is_in: bool) -> AbstractContextManager[Attempt]:
        """Like `trying`, for a code of the authenticator app. Those of somebody who is signed in
        count apart: whoever guesses at the sign-in keeps her from nothing.
        """
        key = f"{user_id} is in" if is_in else user_id
        return self._trying([(self._codes, key)], Detail("too_many_codes"))

    @contextmanager
    def _trying(self, keys: list[tuple[Buckets, str]], detail: Detail) -> Iterator[Attempt]:
        # Nothing is taken unless all have room: who is refused for one limit fills no other.
        wait_s = max(buckets.wait_s(key) for buckets, key in keys)
        if wait_s > ROUNDING_S:
            raise TooMany(detail, retry_after_s=math.ceil(wait_s))
        for buckets, key in keys:
            buckets.take(key)
        attempt = Attempt()
        try:
            yield attempt
        finally:
            if not attempt.is_wrong:
                for buckets, key in keys:
                    buckets.give_back(key)

    def _keys(
        self, email: str | None, address: str, browser: str | None
    ) -> list[tuple[Buckets, str]]:
        if browser is not None:
            return [(self._pairs, browser)]
        network = network_of(address)
        if email is None:
            return [(self._addresses, network)]
        place = (self._pairs, place_of(email, address))
        if self._places.knows(email, address):
            return [place]
        return [place, (self._accounts, email.lower()[:254]), (self._addresses, network)]

"""Limits for signing in: guesses are counted, and nobody empties or fills somebody else's count."""

from typing import Any

import pytest

from protocol.errors import TooMany
from web.people.sign_in_limits import ACCOUNT_TRIES, ADDRESS_TRIES, PAIR_TRIES, SignInLimits


async def test_thousands_of_other_names_give_back_no_guess(autojump_clock: Any) -> None:
    limits = SignInLimits()

    def guess(email: str, address: str) -> None:
        with limits.trying(email, address) as attempt:
            attempt.wrong()

    for _ in range(PAIR_TRIES):
        guess("ada@example.org", "192.0.2.1")
    for n in range(11_000):
        guess(f"{n}@example.org", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    with pytest.raises(TooMany):
        guess("ada@example.org", "192.0.2.1")


async def test_strangers_lock_no_known_browser_out(autojump_clock: Any) -> None:
    """Fifty wrong passwords from six addresses did, also at home after a restart."""
    limits = SignInLimits()
    for n in range(ACCOUNT_TRIES):
        with limits.trying("ada@example.org", f"192.0.2.{n % 6}") as attempt:
            attempt.wrong()
    with pytest.raises(TooMany), limits.trying("ada@example.org", "198.51.100.1"):
        pass
    limits.check("ada@example.org", "198.51.100.1", "her browser")
    for _ in range(PAIR_TRIES):
        with limits.trying("ada@example.org", "198.51.100.1", "her browser") as attempt:
            attempt.wrong()
    with pytest.raises(TooMany), limits.trying("ada@example.org", "192.0.2.77", "her browser"):
        pass


async def test_who_is_refused_for_one_limit_fills_no_other(autojump_clock: Any) -> None:
    limits = SignInLimits()
    for _ in range(ADDRESS_TRIES):
        with limits.trying(None, "192.0.2.1") as attempt:
            attempt.wrong()
    for _ in range(2 * ACCOUNT_TRIES):
        with pytest.raises(TooMany), limits.trying("ada@example.org", "192.0.2.1") as attempt:
            attempt.wrong()
    with limits.trying("ada@example.org", "198.51.100.1"):
        pass

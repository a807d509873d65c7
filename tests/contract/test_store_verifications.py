"""What every store promises of links that confirm an email address."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from actors.ports.people import AccountChange
from protocol.people.second_factor import SecondFactor
from protocol.people.user import User
from tests.contract import test_store_webhooks as of_webhooks
from tests.contract.test_store import Home
from tests.contract.test_store_people import known
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER

MAIL = "ada@example.org"
NEW = "ada@new.example"
A, B, OTHERS = b"a" * 32, b"b" * 32, b"o" * 32


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


async def changed(home: Home, **changes: Any) -> User:
    user = msgspec.structs.replace(await known(home, USER), **changes)
    await home.store.update_user(AccountChange(user=user))
    return await known(home, USER)


async def add(home: Home, sha256: bytes = A, email: str = MAIL) -> None:
    await home.store.add_email_verification(sha256, USER, email, NOW + SECOND)


async def test_what_is_known_of_an_address_comes_back(home: Home) -> None:
    user = await known(home, USER)
    assert (user.email_verified_us, user.email_pending, user.unconfirmed) == (None, None, MAIL)
    user = await changed(home, email_verified_us=NOW, email_pending=NEW)
    assert (user.email_verified_us, user.email_pending, user.unconfirmed) == (NOW, NEW, NEW)


async def test_a_link_counts_in_time_and_the_newest_only(home: Home) -> None:
    await add(home, A)
    await home.store.add_email_verification(OTHERS, OTHER_USER, "bob@example.org", NOW + SECOND)
    await add(home, B)
    assert await home.store.email_verification(A, NOW) is None
    for _ in range(2):  # whoever loses the answer can try again
        found = await home.store.email_verification(B, NOW)
        assert found == (await known(home, USER), MAIL)
    assert await home.store.email_verification(B, NOW + SECOND) is None
    assert await home.store.email_verification(OTHERS, NOW) is not None


async def test_a_link_ends_once_its_address_is_confirmed_or_no_longer_wanted(home: Home) -> None:
    await add(home)
    await changed(home, full_name="Ada L.")
    assert await home.store.email_verification(A, NOW) is not None
    await changed(home, email_verified_us=NOW)
    assert await home.store.email_verification(A, NOW) is None
    await changed(home, email_pending=NEW)
    await add(home, B, NEW)
    await changed(home, email_pending="ada@other.example")
    assert await home.store.email_verification(B, NOW) is None
    await changed(home, email_pending=NEW)
    await add(home, B, NEW)
    await changed(home, email_pending=None)
    assert await home.store.email_verification(B, NOW) is None


async def test_a_disabled_account_confirms_nothing_and_an_erased_one_leaves_no_link(
    home: Home,
) -> None:
    await add(home)
    await home.store.disable_user(USER, NOW)
    assert await home.store.email_verification(A, NOW) is None
    await home.store.enable_user(USER)
    assert await home.store.email_verification(A, NOW) is not None
    await home.store.disable_user(USER, NOW, erase=True)
    assert await home.store.erase_user(USER)
    assert await home.store.email_verification(A, NOW) is None


async def test_an_account_that_is_taken_over_loses_its_second_factor_and_webhooks(
    home: Home,
) -> None:
    hook = await of_webhooks.added(home)
    factor = SecondFactor(user_id=USER, secret=b"s" * 20, confirmed_us=NOW)
    await home.store.update_second_factor(USER, lambda before: (factor, ()))
    user = await known(home, USER)
    await home.store.update_user(AccountChange(user=user))
    assert await home.store.second_factor(USER) is not None
    await home.store.update_user(AccountChange(user=user, take_over=True))
    assert await home.store.second_factor(USER) is None
    off = await home.store.webhook(USER, hook.id)
    assert off is not None
    assert (off.enabled, off.revision) == (False, hook.revision + 1)

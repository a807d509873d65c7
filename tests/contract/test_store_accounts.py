"""What every store promises of changes of an account: what ends with them, all or nothing."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio

from actors.ports.people import AccountChange
from protocol.errors import Outdated
from protocol.people.access import OwnSecrets
from protocol.people.people import AuditEntry
from protocol.rest.listing import AUDIT
from tests.contract.test_store import Home
from tests.contract.test_store_access import some_key
from tests.contract.test_store_listeners import some_listener
from tests.contract.test_store_people import heard_all, known
from tests.support.lists import items
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


async def with_secrets(home: Home) -> OwnSecrets:
    """What outlives a session, of the user; and the same of another user."""
    mine = [await home.store.add_api_key(some_key(n)) for n in range(3)]
    await home.store.set_listener(some_listener())
    await home.store.add_api_key(some_key(9, user_id=OTHER_USER))
    await home.store.set_listener(some_listener(2, user_id=OTHER_USER))
    return OwnSecrets(tuple(key.id for key in mine), some_listener().username)


async def test_what_has_a_secret_of_its_own_is_revoked_with_the_change(home: Home) -> None:
    secrets, user = await with_secrets(home), await known(home, USER)
    heard: list[str] = []
    begun = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(home.store.follow_people, heard.append, begun.set, 5.0)
        await begun.wait()
        found = await home.store.update_user(AccountChange(user=user, revoke=True, entries=said))
        await heard_all(heard, {*secrets.key_ids, USER})
        nursery.cancel_scope.cancel()
    assert (set(found.key_ids), found.listener) == (set(secrets.key_ids), secrets.listener)
    (entry,) = await items(home.store, AUDIT, USER, 10)
    assert entry.subject == "3 keys"
    assert await home.store.update_user(AccountChange(user=user, revoke=True)) == OwnSecrets()
    assert await home.store.listener(USER) is None
    assert await home.store.api_key(some_key(0).sha256) is None
    assert await home.store.api_key(some_key(9).sha256) is not None
    assert await home.store.listener(OTHER_USER) is not None


def said(secrets: OwnSecrets) -> list[AuditEntry]:
    return [
        AuditEntry(
            user_id=USER,
            at_us=NOW,
            action="password_changed",
            subject=f"{len(secrets.key_ids)} keys",
            address="",
            agent="",
        )
    ]


async def test_without_revoking_the_store_only_says_what_there_is(home: Home) -> None:
    secrets, user = await with_secrets(home), await known(home, USER)
    found = await home.store.update_user(AccountChange(user=user, sign_out=True))
    assert (set(found.key_ids), found.listener) == (set(secrets.key_ids), secrets.listener)
    assert await home.store.api_key(some_key(0).sha256) is not None
    assert await home.store.listener(USER) is not None


async def test_a_change_that_fails_leaves_everything_as_it_was(home: Home) -> None:
    """The password was new, and keys and the login stayed: revoking was a step of its own."""
    secrets, user = await with_secrets(home), await known(home, USER)
    await home.store.add_reset(b"a" * 32, USER, NOW + SECOND)

    def fails(secrets: OwnSecrets) -> list[AuditEntry]:
        raise KeyError(secrets.listener)

    changed = msgspec.structs.replace(user, full_name="Other")
    with pytest.raises(KeyError):
        await home.store.update_user(
            AccountChange(user=changed, sign_out=True, revoke=True, entries=fails)
        )
    with pytest.raises(Outdated):
        await home.store.update_user(
            AccountChange(user=changed, known=user.revision + 1, sign_out=True, revoke=True)
        )
    assert await home.store.reset_user(b"a" * 32, NOW) == user
    assert set((await home.store.update_user(AccountChange(user=user))).key_ids) == set(
        secrets.key_ids
    )

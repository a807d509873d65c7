"""What every store promises of API keys and password links: PostgreSQL and its memory twin."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio

from actors.ports.people import AccountChange
from protocol.people.access import KEY_NETWORKS_MAX, KEYS_MAX, ApiKey
from protocol.rest.listing import API_KEYS
from tests.contract.refused import refused
from tests.contract.test_store import Home
from tests.contract.test_store_people import heard_all, known
from tests.support.lists import items
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


def some_key(n: int = 1, **changes: Any) -> ApiKey:
    key = ApiKey(
        id=f"00000000-0000-4000-c000-{n:012d}",
        user_id=USER,
        name="script",
        prefix=f"{n:08d}",
        sha256=n.to_bytes(32, "big"),
        scope="read",
        created_us=NOW,
        expires_us=NOW + SECOND,
    )
    return msgspec.structs.replace(key, **changes)


async def test_a_key_is_found_by_its_hash_until_it_is_deleted(home: Home) -> None:
    first = await home.store.add_api_key(some_key())
    second = await home.store.add_api_key(some_key(2, scope="write", expires_us=None))
    assert msgspec.structs.replace(first, num=0) == some_key()
    assert await home.store.api_key(first.sha256) == (first, await known(home, USER))
    assert await home.store.api_key(b"x" * 32) is None
    assert await items(home.store, API_KEYS, USER, 10) == [first, second]
    assert await items(home.store, API_KEYS, USER, 10, first) == [second]
    assert await items(home.store, API_KEYS, OTHER_USER, 10) == []
    assert await home.store.api_key_used(first.id, NOW + 5, "192.0.2.1")
    found = await home.store.api_key(first.sha256)
    assert found is not None
    assert found[0].last_used_us == NOW + 5
    assert await home.store.sessions_alive([first.id, second.id]) == {first.id, second.id}
    assert not await home.store.delete_api_key(OTHER_USER, first.id)
    assert await home.store.delete_api_key(USER, first.id)
    assert not await home.store.delete_api_key(USER, first.id)
    assert await home.store.api_key(first.sha256) is None
    assert await home.store.sessions_alive([first.id, second.id]) == {second.id}


async def test_whatever_ends_sessions_ends_links_for_a_new_password(home: Home) -> None:
    """An old mailbox took the account after its password and even its address were changed."""
    user = await known(home, USER)
    await home.store.add_reset(b"a" * 32, USER, NOW + SECOND)
    await home.store.add_reset(b"o" * 32, OTHER_USER, NOW + SECOND)
    await home.store.update_user(
        AccountChange(user=msgspec.structs.replace(user, full_name="Ada L."))
    )
    assert await home.store.reset_user(b"a" * 32, NOW) is not None
    await home.store.update_user(
        AccountChange(user=msgspec.structs.replace(user, email="a@x.org"), sign_out=True)
    )
    assert await home.store.reset_user(b"a" * 32, NOW) is None
    assert await home.store.reset_user(b"o" * 32, NOW) == await known(home, OTHER_USER)


async def test_a_user_has_so_many_keys_at_most(home: Home) -> None:
    for n in range(KEYS_MAX):
        await home.store.add_api_key(some_key(n))
    with refused("api_keys_full"):
        await home.store.add_api_key(some_key(KEYS_MAX))
    await home.store.add_api_key(some_key(KEYS_MAX + 1, user_id=OTHER_USER))


async def test_the_first_use_of_a_key_from_a_network_is_told_from_others(home: Home) -> None:
    key = await home.store.add_api_key(some_key())
    for n in range(KEY_NETWORKS_MAX):
        assert await home.store.api_key_used(key.id, NOW, f"192.0.2.{n}")
    for n in range(KEY_NETWORKS_MAX):
        assert not await home.store.api_key_used(key.id, NOW, f"192.0.2.{n}")
    assert await home.store.api_key_used(key.id, NOW, "198.51.100.1")  # the oldest makes room
    assert not await home.store.api_key_used(key.id, NOW, "192.0.2.1")
    assert await home.store.api_key_used(key.id, NOW, "192.0.2.0")
    assert not await home.store.api_key_used(some_key(2).id, NOW, "192.0.2.0")


async def test_a_key_that_goes_is_told(home: Home) -> None:
    key = await home.store.add_api_key(some_key())
    heard: list[str] = []
    begun = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(home.store.follow_people, heard.append, begun.set, 5.0)
        await begun.wait()
        await home.store.delete_api_key(USER, key.id)
        await heard_all(heard, {key.id})
        nursery.cancel_scope.cancel()


async def test_a_link_counts_in_time_and_the_newest_only(home: Home) -> None:
    """It ends when its user is signed out, so whoever loses the answer can try again."""
    await home.store.add_reset(b"a" * 32, USER, NOW + SECOND)
    await home.store.add_reset(b"o" * 32, OTHER_USER, NOW + SECOND)
    await home.store.add_reset(b"b" * 32, USER, NOW + SECOND)
    assert await home.store.reset_user(b"a" * 32, NOW) is None
    for _ in range(2):
        assert await home.store.reset_user(b"b" * 32, NOW) == await known(home, USER)
    assert await home.store.reset_user(b"o" * 32, NOW + SECOND) is None

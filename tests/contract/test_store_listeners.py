"""What every store promises of listeners: PostgreSQL and its memory twin."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import pytest
import trio

from actors.adapters.postgres.store import open_store
from protocol.device.listeners import AGAIN, SETTINGS, Listener
from tests.contract.pg_scene import Scene
from tests.contract.test_store import Home
from tests.contract.test_store_people import heard_all, id_of
from tests.unit.makers import NOW, OTHER_USER, USER, some_login


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


def some_listener(n: int = 1, **changes: Any) -> Listener:
    listener = Listener(
        user_id=USER,
        username=f"listener-{n}",
        password_sha256=b"p" * 32,
        home_assistant=False,
        created_us=NOW,
    )
    return msgspec.structs.replace(listener, **changes)


async def test_a_user_has_one_listener_and_a_new_one_replaces_it(home: Home) -> None:
    first, foreign = some_listener(), some_listener(2, user_id=OTHER_USER)
    await home.store.set_listener(first)
    await home.store.set_listener(foreign)
    assert await home.store.listener(USER) == first
    assert await home.store.listener_logins(["listener-1", "x"]) == {"listener-1": first}
    second = some_listener(3, home_assistant=True, password_sha256=b"q" * 32)
    await home.store.set_listener(second)
    assert await home.store.listener(USER) == second
    assert await home.store.listener_logins(["listener-1"]) == {}
    assert {each.username for each in await home.store.listeners()} == {"listener-2", "listener-3"}
    assert await home.store.delete_listener(USER) == second
    assert await home.store.delete_listener(USER) is None
    assert await home.store.listeners() == [foreign]


async def test_names_are_issued_as_long_as_their_device_or_listener_is_there(home: Home) -> None:
    device = home.device.client_id
    await home.store.set_listener(some_listener())
    asked = [device, "listener-1", "listener-2", "roost-part-0"]
    assert await home.store.issued(asked) == {device, "listener-1"}
    assert await home.store.issued([]) == set()
    await home.store.delete_listener(USER)
    await home.store.delete_device(USER, home.device.id, purge=False)
    assert await home.store.issued(asked) == set()


async def test_whoever_follows_people_hears_of_listeners(home: Home) -> None:
    heard: list[str] = []
    begun = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(home.store.follow_people, heard.append, begun.set, 5.0)
        await begun.wait()
        await home.store.set_listener(some_listener())
        await heard_all(heard, {USER})
        await home.store.set_listener(some_listener(2, user_id=OTHER_USER))
        await home.store.delete_listener(OTHER_USER)
        await heard_all(heard, {USER, OTHER_USER})
        await home.store.say_again(USER)
        await heard_all(heard, {USER, OTHER_USER, AGAIN + USER})
        nursery.cancel_scope.cancel()


async def test_settings_that_another_process_changed_are_told_and_its_own_are_not(
    scene: Scene,
) -> None:
    """Living actors of the leader judged by what a standby had replaced, until they ended."""
    home = scene.home
    heard: list[str] = []
    begun = trio.Event()
    new = msgspec.structs.replace(home.device, id=id_of(71), code="new")
    login = msgspec.structs.replace(some_login(new), username="new", client_id="new")
    async with open_store(scene.url) as other, trio.open_nursery() as nursery:
        nursery.start_soon(home.store.follow_people, heard.append, begun.set, 5.0)
        await begun.wait()
        changes: list[Callable[[Any], Awaitable[object]]] = [
            lambda store: store.update_device(home.device),
            lambda store: store.update_feed(home.feeds["text"]),
            lambda store: store.add_feed(
                msgspec.structs.replace(home.feeds["text"], id=id_of(70), key="another")
            ),
            lambda store: store.delete_feed(USER, home.feeds["number"].id),
            lambda store: store.add_device(new, login),
            lambda store: store.delete_device(USER, new.id, False),
        ]
        for told, change in enumerate(changes, 1):
            await change(other)
            with trio.fail_after(5):
                while len(heard) < told:
                    await trio.lowlevel.checkpoint()
        assert heard == [SETTINGS + USER] * len(changes)
        await home.store.update_device(home.device)
        await other.update_device(home.device)  # behind it: what was to be told has been
        with trio.fail_after(5):
            while len(heard) < len(changes) + 1:
                await trio.lowlevel.checkpoint()
        assert len(heard) == len(changes) + 1
        nursery.cancel_scope.cancel()


async def test_what_a_listening_user_has_is_told_with_its_change(home: Home) -> None:
    """Told by the process that changed it, it was lost where that ended just after (seed 1007)."""
    heard: list[str] = []
    begun = trio.Event()
    store, device = home.store, home.device
    feed = msgspec.structs.replace(home.feeds["text"], name="Another")
    other = msgspec.structs.replace(feed, id=id_of(70), key="another")
    new = msgspec.structs.replace(device, id=id_of(71), code="new")
    login = msgspec.structs.replace(some_login(new), username="new", client_id="new")
    changes: list[Callable[[], Awaitable[object]]] = [
        partial(store.update_device, device),
        partial(store.add_feed, other),
        partial(store.update_feed, feed),
        partial(store.delete_feed, USER, feed.id),
        partial(store.add_device, new, login),
        partial(store.delete_device, USER, device.id, False),
    ]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.follow_people, heard.append, begun.set, 5.0)
        await begun.wait()
        await store.update_device(device)  # nobody listens yet
        await store.set_listener(some_listener())
        for told, change in enumerate(changes, 2):
            await change()
            with trio.fail_after(5):
                while len(heard) < told:
                    await trio.lowlevel.checkpoint()
            assert heard == [USER] * told
        nursery.cancel_scope.cancel()

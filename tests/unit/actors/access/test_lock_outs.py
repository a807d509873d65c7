"""Connections of disabled accounts are closed, and no others."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from actors.access.lock_outs import LockOuts
from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.mqtt.no_logins import NoLogins
from protocol.errors import Unavailable
from protocol.people.user import DisabledUser
from tests.contract.test_store import Home
from tests.contract.test_store_listeners import some_listener
from tests.unit.makers import NOW, OTHER_USER, USER, some_device, some_login

THEIRS = "00000000-0000-4000-8000-0000000000bb"


class Seen(NoLogins):
    """Keeps what was closed; the first `away` calls fail."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: list[str] = []
        self.away = 0

    async def disconnect(self, client_id: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.away:
            self.away -= 1
            raise Unavailable("the broker does not answer")
        self.closed.append(client_id)

    async def forget_user(self, username: str) -> None:
        self.closed.append(username)


class Scene:
    def __init__(self, home: Home, look_again_s: float) -> None:
        self.home = home
        self.logins = Seen()
        self.found: list[Sequence[DisabledUser]] = []
        self.lock_outs = LockOuts(home.store, self.logins, look_again_s, self.found.append)


@pytest.fixture
async def home() -> Home:
    store: Any = MemoryStore(ManualClock())
    home = await Home(store).furnish()
    device = some_device("d2", THEIRS, user_id=OTHER_USER, client_id=f"device-{THEIRS}")
    await store.add_device(device, some_login(device))
    await store.set_listener(some_listener())
    return home


async def test_connections_of_a_disabled_user_are_closed_twice(
    home: Home, autojump_clock: trio.testing.MockClock
) -> None:
    """A login that was answered just before is connected by the second time."""
    scene = Scene(home, 1_000.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.lock_outs.run)
        await trio.sleep(5)
        assert scene.logins.closed == []
        await home.store.disable_user(USER, NOW)
        scene.lock_outs.look()
        await trio.sleep(5)
        assert scene.logins.closed == ["listener-1", home.device.client_id] * 2
        scene.lock_outs.look()
        await trio.sleep(5)
        assert len(scene.logins.closed) == 4
        await home.store.enable_user(USER)
        scene.lock_outs.look()
        await trio.sleep(5)
        await home.store.disable_user(USER, NOW)
        scene.lock_outs.look()
        await trio.sleep(5)
        assert len(scene.logins.closed) == 8
        nursery.cancel_scope.cancel()
    assert [user.id for user in scene.found[-1]] == [USER]


async def test_a_broker_that_does_not_answer_and_a_lost_notification_only_delay_it(
    home: Home, autojump_clock: trio.testing.MockClock
) -> None:
    scene = Scene(home, 10.0)
    scene.logins.away = 3
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.lock_outs.run)
        await home.store.disable_user(USER, NOW)
        await trio.sleep(60)
        assert scene.logins.closed.count(home.device.client_id) == 2
        nursery.cancel_scope.cancel()

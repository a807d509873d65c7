"""Many devices: the first page is the list, the others follow, and nothing older after newer."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.store import MemoryStore
from actors.runtime.supervisor import Supervisor
from actors.user import snapshots
from actors.user.actor import UserActor
from actors.user.outbox import TAKE_MAX, Outbox
from actors.user.registry import Users
from protocol.errors import Unavailable
from protocol.events import DeviceChanged, DeviceList, DeviceRemoved, FeedValue
from protocol.messages import GivenUp, Happened, Renewed, SnapshotRead, Subscribed
from protocol.records import Device, DeviceState, MqttLogin
from tests.conftest import Logs
from tests.unit.makers import NOW, USER, some_device

PAGE = 2


def numbered(n: int, version: int = 1) -> Device:
    identity = f"00000000-0000-4000-8000-{n:012d}"
    return some_device(f"d{n}", identity, state=DeviceState(version=version), num=n)


def some_login(code: str) -> MqttLogin:
    return MqttLogin(
        username=code, client_id=code, password_sha256=b"", user_id=USER, device_code=code
    )


class Scene:
    """An actor with open dashboards."""

    def __init__(self, outboxes: int = 1) -> None:
        self.actor = UserActor()
        self.outboxes = [Outbox() for _ in range(outboxes)]
        for outbox in self.outboxes:
            self.actor.step(Subscribed(outbox=outbox), NOW)

    def read(
        self,
        *devices: Device,
        first: bool = True,
        last: bool = True,
        to: int = 0,
        holds: int | None = None,
    ) -> None:
        outbox = self.outboxes[to]
        outboxes = ((outbox, outbox.holds if holds is None else holds),)
        page = SnapshotRead(
            outboxes=outboxes, devices=devices, at_s=0.0, is_first=first, is_last=last
        )
        self.actor.step(page, NOW)

    def happen(self, *events: Any) -> None:
        for event in events:
            self.actor.step(Happened(event=event, at_s=0.0), NOW)

    async def shown(self, by: int = 0) -> list[Any]:
        with trio.fail_after(1):
            return await self.outboxes[by].take()


async def test_further_devices_follow_the_list() -> None:
    scene = Scene()
    scene.read(numbered(1), last=False)
    assert await scene.shown() == [DeviceList((numbered(1),), is_complete=False)]
    scene.read(numbered(2), numbered(3), first=False)
    assert await scene.shown() == [DeviceChanged(numbered(2)), DeviceChanged(numbered(3))]


def test_only_a_list_that_is_not_complete_says_so() -> None:
    assert b"complete" not in DeviceList((numbered(1),)).encoded
    assert b'"complete":false' in DeviceList((numbered(1),), is_complete=False).encoded


async def test_news_of_a_device_goes_instead_of_its_place_behind_the_list() -> None:
    scene = Scene()
    scene.read(numbered(1), last=False)
    scene.read(numbered(2), numbered(3), numbered(4), first=False)
    scene.happen(DeviceChanged(numbered(2, version=7)), DeviceRemoved(numbered(3).id))
    assert (await scene.shown())[1:] == [
        DeviceChanged(numbered(2, version=7)),
        DeviceRemoved(numbered(3).id),
        DeviceChanged(numbered(4)),
    ]


async def test_a_page_stands_behind_what_was_told_before() -> None:
    """Its state is the newer one."""
    scene = Scene()
    scene.read(numbered(1), last=False)
    scene.happen(DeviceChanged(numbered(2, version=5)))
    scene.read(numbered(2, version=6), first=False)
    told = (await scene.shown())[1:]
    assert [event.device.state.version for event in told] == [5, 6]


async def test_what_is_newer_is_laid_over_a_later_page() -> None:
    scene = Scene()
    scene.read(numbered(1), last=False)
    scene.happen(DeviceChanged(numbered(2, version=5)), DeviceRemoved(numbered(3).id))
    await scene.shown()
    scene.read(numbered(2, version=4), numbered(3), first=False)
    assert await scene.shown() == [DeviceChanged(numbered(2, version=5))]


async def test_pages_of_a_reading_that_is_over_show_nothing() -> None:
    scene = Scene()
    scene.read(numbered(1), last=False)
    await scene.shown()
    scene.actor.step(GivenUp(), NOW)
    scene.read(numbered(2), first=False)
    scene.happen(FeedValue("f", "t", numbered(1).id, 1.0, NOW))
    assert await scene.shown() == [FeedValue("f", "t", numbered(1).id, 1.0, NOW)]


async def test_a_reading_from_before_it_began_again_shows_nothing() -> None:
    """Its second page went back behind what had been told since."""
    scene = Scene()
    before = scene.outboxes[0].holds
    scene.happen(DeviceChanged(numbered(2, version=11)))
    scene.actor.step(Renewed(), NOW)
    scene.read(numbered(1), last=False, holds=before)
    scene.read(numbered(2, version=10), first=False, holds=before)
    scene.read(numbered(1), numbered(2, version=11))
    assert await scene.shown() == [DeviceList((numbered(1), numbered(2, version=11)))]


async def test_devices_beyond_the_list_are_shown_also_while_very_much_happens() -> None:
    scene = Scene()
    scene.read(numbered(1), last=False)
    scene.read(*(numbered(n) for n in range(2, 50)), first=False)
    shown: set[str] = set()
    for n in range(10):
        values = [FeedValue(f"f{k}", "t", numbered(1).id, n, NOW + n) for k in range(TAKE_MAX)]
        scene.happen(*values, DeviceChanged(numbered(49, version=100 + n)))
        for event in await scene.shown():
            if isinstance(event, DeviceChanged):
                assert event.device.num != 49 or event.device.state.version >= 100
                shown.add(event.device.code)
    assert {f"d{n}" for n in range(2, 49)} <= shown


async def test_only_events_are_timed() -> None:
    """Devices beyond the list counted as late as the last event that there ever was."""
    scene = Scene()
    scene.read(numbered(1), last=False)
    scene.read(numbered(2), first=False)
    await scene.shown()
    assert scene.outboxes[0].timed == 0
    scene.happen(FeedValue("f", "t", numbered(1).id, 1.0, NOW))
    await scene.shown()
    assert scene.outboxes[0].timed == 1


async def test_what_one_dashboards_reading_finds_the_others_are_told(nursery: Any) -> None:
    """Its event came after that, was no news any more, and reached nobody (seed 35476)."""
    scene = Scene(outboxes=2)
    scene.read(numbered(1), to=0)
    await scene.shown(by=0)
    scene.read(numbered(1), numbered(2), to=1)
    scene.happen(DeviceChanged(numbered(2)))
    assert await scene.shown(by=0) == [DeviceChanged(numbered(2))]
    assert await scene.shown(by=1) == [DeviceList((numbered(1), numbered(2)))]


async def test_what_a_dashboard_was_told_and_is_given_up_is_corrected_by_its_list_alone() -> None:
    """Another one's reading, of what the store has, went back from what was told (seed 38277)."""
    scene = Scene(outboxes=2)
    scene.read(numbered(1), to=0)
    scene.happen(DeviceChanged(numbered(1, version=5)))
    assert (await scene.shown(by=0))[1:] == [DeviceChanged(numbered(1, version=5))]
    scene.actor.step(GivenUp(), NOW)
    scene.read(numbered(1, version=3), to=1)
    value = FeedValue("f", "t", numbered(1).id, 1.0, NOW)
    scene.happen(value)
    assert await scene.shown(by=0) == [value]
    scene.actor.step(Renewed(), NOW)
    scene.read(numbered(1, version=3), to=0)
    assert await scene.shown(by=0) == [DeviceList((numbered(1, version=3),))]


class CountingStore(MemoryStore):
    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.pages = 0
        self.fails = False
        self.is_away = False

    async def snapshot(
        self, user_id: str, after: int, limit: int
    ) -> tuple[list[Device], int | None]:
        self.pages += 1
        if self.is_away:
            raise Unavailable("away")
        if self.fails:
            raise ValueError("a mistake")
        return await super().snapshot(user_id, after, limit)


@pytest.fixture
async def store(monkeypatch: pytest.MonkeyPatch) -> CountingStore:
    monkeypatch.setattr(snapshots, "PAGE_MAX", PAGE)
    store = CountingStore(ManualClock())
    for n in range(1, 6):
        await store.add_device(numbered(n), some_login(f"d{n}"))
    return store


@pytest.fixture
async def users(store: CountingStore) -> AsyncIterator[Users]:
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, ManualClock(), random.Random(1))
        yield Users(store, supervisor, trio.lowlevel.checkpoint)
        nursery.cancel_scope.cancel()


async def whole(outbox: Outbox) -> list[str]:
    """The codes of all five devices, as they come."""
    codes: list[str] = []
    with trio.fail_after(5):
        while len(codes) < 5:
            for event in await outbox.take():
                if isinstance(event, DeviceList):
                    codes += [device.code for device in event.devices]
                else:
                    assert isinstance(event, DeviceChanged)
                    codes.append(event.device.code)
    return codes


async def test_every_dashboard_gets_every_device_once(users: Users, store: CountingStore) -> None:
    async with users.watch(USER) as one, users.watch(USER) as other:
        assert await whole(one) == await whole(other) == ["d1", "d2", "d3", "d4", "d5"]


async def test_dashboards_that_begin_together_share_a_reading(
    users: Users, store: CountingStore
) -> None:
    async with users.watch(USER) as first:
        await whole(first)
        store.pages = 0
        async with users.watch(USER) as a, users.watch(USER) as b, users.watch(USER) as c:
            for outbox in (a, b, c):
                await whole(outbox)
        assert store.pages <= 2 * 3  # what came after the first had begun is read once more
        store.pages = 0
        users.renew_all()
        await whole(first)
        assert store.pages == 3


async def test_nobody_is_read_for_who_has_left(
    autojump_clock: Any, users: Users, store: CountingStore
) -> None:
    """While the store was away it was asked twice a second, for each user who had left."""
    store.is_away = True
    async with users.watch(USER):
        await trio.sleep(5)
    left = store.pages
    await trio.sleep(60)
    assert store.pages <= left + 1
    store.is_away = False
    async with users.watch(USER) as outbox:
        assert len(await whole(outbox)) == 5


async def test_a_reading_that_fails_for_good_closes_those_who_wait_for_it(
    autojump_clock: Any, users: Users, store: CountingStore, logs: Logs
) -> None:
    logs.claim("actor given up")
    store.fails = True
    async with users.watch(USER) as outbox:
        with pytest.raises(trio.EndOfChannel):
            await outbox.take()
    store.fails = False
    async with users.watch(USER) as outbox:
        assert len(await whole(outbox)) == 5

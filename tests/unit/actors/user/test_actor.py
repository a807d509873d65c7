"""The user actor and the outboxes: no gap after the snapshot, nothing older after newer."""

import random
from typing import Any

import msgspec
import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.store import MemoryStore
from actors.runtime.supervisor import Supervisor
from actors.user.actor import UserActor
from actors.user.outbox import EVENTS_MAX, Filter, Outbox
from actors.user.registry import Users
from protocol.device.commands import Command
from protocol.events import (
    AlarmChanged,
    CommandChanged,
    DeviceChanged,
    DeviceList,
    DeviceRemoved,
    Event,
    FeedValue,
    Staleness,
    Subscribe,
    framed,
)
from protocol.messages import (
    GivenUp,
    Happened,
    ReadSnapshot,
    Renewed,
    SnapshotRead,
    Subscribed,
    Unsubscribed,
)
from protocol.records import Device, DeviceState
from tests.unit.makers import DEVICE, NOW, USER, some_alarm, some_device

FEED = "00000000-0000-4000-8000-000000000001"


def at(version: int, status: str = "online", device_id: str = DEVICE) -> Device:
    return some_device(device_id=device_id, state=DeviceState(version=version, status=status))


def value(n: float, ts_us: int = NOW, feed_id: str = FEED) -> FeedValue:
    return FeedValue(feed_id, "t", DEVICE, n, ts_us)


def command(n: int, version: int = 0) -> Command:
    return Command(
        id=f"00000000-0000-4000-b000-{n:012d}",
        user_id=USER,
        device_id=DEVICE,
        device_num=1,
        device_code="d1",
        type="beep",
        payload="{}",
        created_us=NOW,
        expires_us=NOW + 1,
        next_try_us=NOW,
        version=version,
    )


class Scene:
    def __init__(self) -> None:
        self.actor = UserActor()
        self.outbox = Outbox()

    def subscribe(self) -> None:
        (effect,) = self.actor.step(Subscribed(outbox=self.outbox), NOW)
        assert isinstance(effect, ReadSnapshot)

    def read(self, *devices: Device) -> None:
        outboxes = ((self.outbox, self.outbox.holds),)
        self.actor.step(SnapshotRead(outboxes=outboxes, devices=devices, at_s=0.0), NOW)

    def happen(self, *events: Any) -> None:
        for event in events:
            self.actor.step(Happened(event=event, at_s=0.0), NOW)

    async def shown(self) -> list[Event]:
        with trio.fail_after(1):
            return await self.outbox.take()


async def test_the_snapshot_comes_first_and_then_what_happened_meanwhile() -> None:
    scene = Scene()
    scene.subscribe()
    scene.happen(value(1))
    scene.read(at(1))
    scene.happen(value(2, NOW + 1))
    first, *rest = await scene.shown()
    assert isinstance(first, DeviceList)
    assert [event.value for event in rest if isinstance(event, FeedValue)] == [1, 2]


async def test_a_newer_state_that_an_actor_told_is_laid_over_the_snapshot() -> None:
    scene = Scene()
    scene.subscribe()
    scene.happen(DeviceChanged(at(5, "sleeping")))
    scene.read(at(4, "online"))
    assert await scene.shown() == [DeviceList((at(5, "sleeping"),))]


async def test_a_snapshot_newer_than_what_was_told_wins() -> None:
    scene = Scene()
    scene.subscribe()
    scene.happen(DeviceChanged(at(3, "offline")))
    scene.read(at(4, "online"))
    assert await scene.shown() == [DeviceList((at(4, "online"),))]


async def test_news_that_waits_behind_a_newer_snapshot_is_dropped() -> None:
    scene = Scene()
    scene.subscribe()
    scene.read(at(6))
    scene.happen(DeviceChanged(at(5)), DeviceChanged(at(7)))
    assert await scene.shown() == [DeviceList((at(6),)), DeviceChanged(at(7))]


async def test_an_older_state_never_follows_a_newer() -> None:
    scene = Scene()
    scene.subscribe()
    scene.read()
    scene.happen(DeviceChanged(at(5)), DeviceChanged(at(4)), DeviceChanged(at(5)))
    assert (await scene.shown())[1:] == [DeviceChanged(at(5))]


async def test_an_older_state_of_a_command_never_follows_a_newer() -> None:
    scene = Scene()
    scene.subscribe()
    scene.read()
    first, second, third = (CommandChanged(command(1, version)) for version in range(3))
    other = CommandChanged(command(2))
    scene.happen(third, second)
    assert (await scene.shown())[1:] == [third]
    scene.happen(first, other, third)
    assert await scene.shown() == [other, third]


async def test_of_a_shared_feed_an_older_value_never_follows_a_newer() -> None:
    scene = Scene()
    scene.subscribe()
    scene.read()
    scene.happen(value(1, NOW), value(2, NOW - 1), value(3, NOW))
    assert [e.value for e in await scene.shown() if isinstance(e, FeedValue)] == [1, 3]


async def test_a_deleted_device_is_not_in_a_snapshot_that_was_read_before() -> None:
    scene = Scene()
    scene.subscribe()
    scene.happen(DeviceRemoved(DEVICE))
    scene.read(at(1))
    first, *rest = await scene.shown()
    assert first == DeviceList(())
    assert rest == [DeviceRemoved(DEVICE)]


async def test_who_left_gets_nothing() -> None:
    scene = Scene()
    scene.subscribe()
    scene.read()
    await scene.shown()
    scene.actor.step(Unsubscribed(outbox=scene.outbox), NOW)
    scene.happen(value(1))
    with trio.move_on_after(0.01) as scope:
        await scene.outbox.take()
    assert scope.cancelled_caught


async def test_filters_hold_for_channels_devices_and_feeds() -> None:
    other = "99999999-0000-4000-8000-000000000001"
    events: list[Any] = [
        DeviceChanged(at(1)),
        DeviceChanged(at(1, device_id=other)),
        value(1),
        value(1, feed_id=other),
        Staleness(NOW),
    ]

    def wanted(**wish: Any) -> list[bool]:
        chosen = Filter.of(Subscribe(**wish))
        return [chosen.wants(event) for event in events]

    assert wanted() == [True] * 5
    assert wanted(channels=["devices"]) == [True, True, False, False, True]
    assert wanted(channels=[]) == [False, False, False, False, True]
    assert wanted(device_ids=[other]) == [False, True, False, False, True]
    assert wanted(feed_ids=[other]) == [True, True, False, True, True]


async def test_a_slow_client_gets_the_latest_of_each_feed_and_device() -> None:
    scene = Scene()
    scene.subscribe()
    scene.read()
    await scene.shown()
    for n in range(EVENTS_MAX + 1):
        scene.happen(value(n, NOW + n), DeviceChanged(at(n + 1)))
    seen: list[Event] = []
    while True:
        with trio.move_on_after(0.01) as scope:
            seen += await scene.outbox.take()
        if scope.cancelled_caught:
            break
    assert len(seen) <= EVENTS_MAX
    values = [e.value for e in seen if isinstance(e, FeedValue)]
    assert values == sorted(values) and values[-1] == EVENTS_MAX
    assert not scene.outbox.has_lost


async def test_a_client_that_lost_events_begins_again_with_a_snapshot() -> None:
    scene = Scene()
    scene.subscribe()
    scene.read()
    for n in range(2 * EVENTS_MAX):
        scene.happen(value(n, feed_id=f"feed {n}"))
    assert scene.outbox.has_lost
    scene.subscribe()
    scene.read(at(3))
    assert not scene.outbox.has_lost
    assert isinstance((await scene.shown())[0], DeviceList)


async def test_a_closed_outbox_ends() -> None:
    outbox = Outbox()
    outbox.close()
    try:
        await outbox.take()
    except trio.EndOfChannel:
        return
    raise AssertionError("it did not end")


def test_an_event_is_encoded_once_and_counted_per_connection() -> None:
    event = value(1)
    encoded = event.encoded
    assert event.encoded is encoded
    assert msgspec.json.decode(framed(event, 7)) == {
        "type": "feed_value",
        "feed_id": FEED,
        "feed_key": "t",
        "device_id": DEVICE,
        "value": 1,
        "ts": "2026-09-21T14:13:20.000000Z",
        "seq": 7,
    }


async def test_the_versions_of_those_changed_last_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.user.actor.VERSIONS_MAX", 2)
    scene = Scene()
    scene.subscribe()
    scene.read()
    told = [command(1, 5), command(2, 5), command(1, 6), command(3, 5)]  # 2 is forgotten
    scene.happen(*(CommandChanged(each) for each in told))
    scene.happen(CommandChanged(command(1, 4)), CommandChanged(command(2, 4)))
    _, *events = await scene.shown()
    assert events == [CommandChanged(each) for each in [*told, command(2, 4)]]


async def test_what_clients_ask_for_again_is_not_told_behind_a_new_list() -> None:
    """A command that had expired meanwhile was told as queued, behind the list (seeds 198, 255)."""
    outbox = Outbox()
    outbox.open(DeviceList(()))
    assert await outbox.take() == [DeviceList(())]
    outbox.offer(AlarmChanged(some_alarm()), 0.0)
    outbox.offer(FeedValue("f", "t", DEVICE, 1.5, NOW), 0.0)
    outbox.hold()
    later = AlarmChanged(some_alarm(2))
    outbox.offer(later, 0.0)
    outbox.open(DeviceList(()))
    assert await outbox.take() == [DeviceList(()), FeedValue("f", "t", DEVICE, 1.5, NOW), later]


async def test_what_is_given_up_is_told_neither_before_the_new_list_nor_behind_it() -> None:
    scene = Scene()
    scene.subscribe()
    scene.read(at(1))
    await scene.shown()
    scene.happen(DeviceChanged(at(2)), value(2, NOW + 2), Staleness(NOW))
    scene.actor.step(GivenUp(), NOW)
    assert await scene.shown() == [Staleness(NOW)]
    scene.actor.step(Renewed(), NOW)
    scene.read(at(1))
    scene.happen(value(1, NOW + 1))
    assert await scene.shown() == [DeviceList((at(1),)), value(1, NOW + 1)]


async def test_a_list_that_waits_and_is_given_up_is_not_told() -> None:
    scene = Scene()
    scene.subscribe()
    scene.happen(DeviceChanged(at(2)))
    scene.read(at(1))
    scene.actor.step(GivenUp(), NOW)
    scene.actor.step(Renewed(), NOW)
    scene.read(at(1))
    assert await scene.shown() == [DeviceList((at(1),))]


async def test_what_waits_for_a_user_actor_is_given_up_too() -> None:
    """A list is asked for before what waits there: it was told behind the list."""
    clock = ManualClock()
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, clock, random.Random(1))
        users = Users(MemoryStore(clock), supervisor, trio.lowlevel.checkpoint)
        async with users.watch(USER) as outbox:
            assert await outbox.take() == [DeviceList(())]
            users.tell(USER, DeviceChanged(at(2)))
            users.tell(USER, Staleness(NOW))
            users.give_up()
            users.renew_all()
            assert await outbox.take() == [DeviceList(()), Staleness(NOW)]


async def test_an_outbox_knows_when_the_first_of_what_is_taken_was_told() -> None:
    outbox = Outbox()
    outbox.open(DeviceList(()))
    await outbox.take()
    outbox.offer(FeedValue("f", "t", DEVICE, 1.5, NOW), 7.0)
    outbox.offer(FeedValue("f", "t", DEVICE, 2.5, NOW), 8.0)
    assert len(await outbox.take()) == 2
    assert outbox.first_s == 7.0
    outbox.offer(FeedValue("f", "t", DEVICE, 3.5, NOW), 9.0)
    await outbox.take()
    assert outbox.first_s == 9.0

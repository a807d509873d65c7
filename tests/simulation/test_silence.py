"""Presence by leases, as stories: silence counts exactly, and only while we would have heard."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from actors.device.restoration import Restoration
from actors.device.timer import DeviceTimer
from actors.ingest.partition_clock import DRAIN_S, PartitionClocks
from protocol.device.alarms import OFFLINE, Alarm
from protocol.times import SECOND_US
from tests.simulation.clock import START_US
from tests.simulation.device import VirtualDevice
from tests.simulation.running import simulate
from tests.simulation.world import World

AFTER_S = 60
BEAT_S = 10.0
OUTAGE_S = 600.0

Outage = Callable[[World], Awaitable[None]]


async def broker_away(world: World) -> None:
    world.fault("broker away", seconds=OUTAGE_S)
    await world.advance(OUTAGE_S)


async def store_away(world: World) -> None:
    world.fault("store away", seconds=OUTAGE_S)
    await world.advance(OUTAGE_S)


async def service_down(world: World) -> None:
    await world.restart(OUTAGE_S)


OUTAGES = [broker_away, store_away, service_down]


async def lively(world: World) -> VirtualDevice:
    """A device that is online, and offline after a minute of silence."""
    device = world.device("shed")
    await device.feed("t")
    await device.person.patch(f"/devices/{device.id}", {"offline_after_s": AFTER_S})
    await device.status(status="online")
    await world.advance(DRAIN_S + 1)  # after a connection, what waited for us is heard first
    return device


async def beats(world: World, device: VirtualDevice) -> None:
    while True:
        await device.publish("t", 1.0, ts=world.clock.peek_us() // 1000)
        await trio.sleep(BEAT_S)


def alarms(world: World) -> list[Alarm]:
    return [alarm for alarm in world.store.all_alarms.values() if alarm.kind == OFFLINE]


async def nobody_is_offline_for_an_outage_of_ours(world: World, outage: Outage) -> None:
    async with world.open(), trio.open_nursery() as nursery:
        device = await lively(world)
        nursery.start_soon(beats, world, device)
        await world.advance(2 * AFTER_S)
        await outage(world)
        await world.serving()
        await world.advance(3 * AFTER_S)
        assert alarms(world) == []
        assert (await device.state())["status"] == "online"
        nursery.cancel_scope.cancel()


async def silence_through_an_outage(world: World, outage: Outage) -> float:
    """Seconds from its last word to its alarm; the outage begins half a lease after that word."""
    async with world.open():
        device = await lively(world)
        await device.publish("t", 1.0)
        last_s = trio.current_time()
        await world.advance(AFTER_S / 2)
        await outage(world)
        await world.serving()
        await world.advance(3 * AFTER_S)
        (alarm,) = alarms(world)
        assert alarm.raised_us is not None
        assert (await device.state())["status"] == "offline"
    return (alarm.raised_us - START_US) / SECOND_US - last_s


async def test_a_silent_device_is_offline_at_that_moment_and_online_by_any_word(
    world: World,
) -> None:
    device = await lively(world)
    last_us = world.clock.peek_us()
    await device.publish("t", 1.0)
    await world.advance(AFTER_S - 0.01)
    assert alarms(world) == []
    await world.advance(0.02)
    (alarm,) = alarms(world)
    assert alarm.raised_us is not None
    assert 0 <= alarm.raised_us - last_us - AFTER_S * SECOND_US < 1_000
    await device.publish("t", 2.0)
    await world.advance(1)
    assert (await device.state())["status"] == "online"
    assert [each.state for each in alarms(world)] == ["cleared"]


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_of_ours_makes_nobody_offline(outage: Outage) -> None:
    simulate(World(1), lambda world: nobody_is_offline_for_an_outage_of_ours(world, outage))


@pytest.mark.parametrize("outage", [broker_away, service_down])
def test_silence_stands_still_while_nobody_could_hear(outage: Outage) -> None:
    took: list[float] = []

    async def story(world: World) -> None:
        took.append(await silence_through_an_outage(world, outage))

    simulate(World(1), story)
    # What the broker brings after it is heard first; a restart counts from when anybody was heard.
    assert AFTER_S + OUTAGE_S <= took[0] <= 1.5 * AFTER_S + OUTAGE_S + 2 * DRAIN_S


def always_flowing(patch: pytest.MonkeyPatch) -> None:
    def look(self: PartitionClocks, partition: int) -> None:
        self.clocks[partition].flow()
        self._changed(partition)

    patch.setattr(PartitionClocks, "look", look)


def forgotten_at_a_restart(patch: pytest.MonkeyPatch) -> None:
    async def restore(self: DeviceTimer, restoration: Restoration) -> None:
        await trio.lowlevel.checkpoint()

    patch.setattr(DeviceTimer, "_restore", restore)


def test_leases_that_do_not_stand_still_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    always_flowing(monkeypatch)
    with pytest.raises(BaseExceptionGroup):
        test_an_outage_of_ours_makes_nobody_offline(broker_away)


def test_leases_that_a_restart_forgets_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten_at_a_restart(monkeypatch)
    with pytest.raises((BaseExceptionGroup, ValueError)):
        test_silence_stands_still_while_nobody_could_hear(service_down)

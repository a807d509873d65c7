"""Devices that send more than they may: others do not feel it, and what was allowed is not lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import trio

from actors.ingest.rates import FLOOD_S, RateSettings
from protocol import codec
from tests.simulation.device import VirtualDevice
from tests.simulation.world import World

# The ceiling is 100 a second: 500 in five seconds.
RATES = RateSettings(
    device_per_s=10.0,
    device_burst=600.0,
    user_per_s=50.0,
    user_burst=10_000.0,
    retry_after_s=60.0,
)
EVERY_S = 4.3  # about as in life; no multiple of it is one of what a world takes to settle


async def begin(world: World, rates: RateSettings = RATES) -> None:
    """With these rates, and canaries as often as in life."""
    world.rates = rates
    world.pulse = msgspec.structs.replace(world.pulse, canary_s=EVERY_S)
    await world.restart()


async def send(device: VirtualDevice, many: int, *, every_s: float, qos: int = 1) -> None:
    """So many readings, each with a time and a value of its own."""
    for n in range(many):
        await device.publish("t", n, id=f"{n}", qos=qos)
        await trio.sleep(every_s)


async def account_of(device: VirtualDevice) -> Any:
    return await device.person.get(f"/devices/{device.id}/account")


def told(world: World, device: VirtualDevice) -> list[Any]:
    topic = f"{device.prefix}/errors"
    return [codec.decode(payload) for each, payload in world.broker.sent if each == topic]


async def test_a_device_at_its_rate_is_never_refused(world: World) -> None:
    await begin(world)
    shed = world.device("shed")
    await send(shed, 800, every_s=1 / RATES.device_per_s)
    await world.settle()
    account = await account_of(shed)
    assert (account["stored"], account["limited"]) == (800, 0)
    assert not told(world, shed)


async def test_what_is_above_the_rate_is_counted_and_told_with_the_time_to_wait(
    world: World,
) -> None:
    """At twice the rate, for as long as the bucket is empty."""
    await begin(world, msgspec.structs.replace(RATES, device_burst=20.0))
    shed = world.device("shed")
    await send(shed, 600, every_s=0.05)
    await world.settle()
    account = await account_of(shed)
    assert account["received"] == 600 == account["stored"] + account["limited"]
    assert 250 < account["stored"] < 400
    assert not (await shed.person.get("/rejected-messages"))["items"]
    notices = told(world, shed)
    assert 4 <= len(notices) <= 6  # of thirty seconds
    assert {each["reason"] for each in notices} == {"too_fast"}
    assert all(each["retry_after_s"] >= 1 for each in notices)
    assert sum(each["refused"] for each in notices) <= account["limited"]
    assert world.house.limits.refused == account["limited"]


async def test_qos_0_above_the_rate_is_shed_and_counted_and_nobody_told(world: World) -> None:
    await begin(world, msgspec.structs.replace(RATES, device_burst=20.0))
    shed = world.device("shed")
    await send(shed, 600, every_s=0.05, qos=0)
    await world.settle()
    account = await account_of(shed)
    assert account["received"] == 600 == account["stored"] + account["shed"]
    assert account["shed"] > 150
    assert not told(world, shed)


async def test_a_flood_is_shut_out_and_its_page_says_why(world: World) -> None:
    await begin(world)
    shed = world.device("shed")
    async with flooding(shed):
        await trio.sleep(2 * FLOOD_S)
        assert world.trace.fired["device shut out"] == 1
        page = await shed.person.get(f"/devices/{shed.id}")
        assert page["flood"]["reason"] == "too_fast"
        assert page["flood"]["messages_per_s"] >= 100
        assert page["flood"]["retry_at"] > page["flood"]["at"]
        (listed,) = (await shed.person.get("/devices"))["items"]
        assert listed["flood"] == page["flood"]
    barn = world.device("barn")
    await barn.publish("t", 1)
    assert (await barn.person.get(f"/devices/{barn.id}"))["flood"] is None


@asynccontextmanager
async def flooding(device: VirtualDevice) -> AsyncIterator[None]:
    await device.feed("t", kind="number")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_flood, device)
        yield
        nursery.cancel_scope.cancel()


async def _flood(device: VirtualDevice) -> None:
    await send(device, 100_000, every_s=0.005)


async def test_a_backlog_of_any_size_loses_nothing_at_qos_1(world: World) -> None:
    """Three times what its bucket holds, at five times the ceiling: it is shut out before any of it
    is refused, and sends the rest later."""
    await begin(world)
    shed = world.device("shed")
    await send(shed, 1_800, every_s=0.002)
    await world.settle()
    account = await account_of(shed)
    assert (account["stored"], account["limited"]) == (1_800, 0)
    assert world.trace.fired["device shut out"] >= 2


async def test_what_the_broker_kept_while_no_process_was_there_is_not_refused(
    world: World,
) -> None:
    await begin(world)
    shed = world.device("shed")
    await shed.publish("t", -1)
    world.kill()
    await send(shed, 1_500, every_s=1 / RATES.device_per_s)
    world.start()
    await world.settle()
    account = await account_of(shed)
    assert account["limited"] == 0
    assert account["stored"] >= 1_500
    assert not world.trace.fired["device shut out"]


@pytest.mark.parametrize("why", ["hangs", "cut off"])
async def test_what_waited_while_the_process_could_take_nothing_is_not_refused(
    world: World, why: str
) -> None:
    await begin(world)
    shed = world.device("shed")
    await shed.publish("t", -1)
    await world.settle()
    if why == "hangs":
        (await world.serving()).hang(150)
    else:
        world.fault("store away", seconds=150)
    await send(shed, 1_450, every_s=1 / RATES.device_per_s)
    await world.settle()
    account = await account_of(shed)
    assert (account["stored"], account["limited"]) == (1_451, 0)
    assert not world.trace.fired["device shut out"]


async def test_the_will_of_a_device_that_floods_is_heard(world: World) -> None:
    await begin(world)
    shed = world.device("shed")
    await shed.status(status="online")
    async with flooding(shed):
        await trio.sleep(2 * FLOOD_S)
    world.broker.connect_device("shed", (f"{shed.prefix}/status", b'{"status": "offline"}'))
    world.broker.vanish_device("shed")
    await world.settle()
    assert (await shed.state())["status"] == "offline"

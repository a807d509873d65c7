"""Devices that send more than they may: others do not feel it, and what was allowed is not lost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partialmethod
from typing import Any

import msgspec
import pytest
import trio

from actors.ingest.floods import Floods
from actors.ingest.rates import FLOOD_S, Rates, RateSettings
from protocol import codec
from tests.simulation.device import VirtualDevice
from tests.simulation.process import Process
from tests.simulation.world import World

Story = Callable[[World], Awaitable[None]]

# The ceiling is 50 a second: 250 in five seconds.
RATES = RateSettings(
    device_per_s=5.0,
    device_burst=300.0,
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
    await send(shed, 400, every_s=1 / RATES.device_per_s)
    await world.settle()
    account = await account_of(shed)
    assert (account["stored"], account["limited"]) == (400, 0)
    assert not told(world, shed)


async def test_what_is_above_the_rate_is_counted_and_told_with_the_time_to_wait(
    world: World,
) -> None:
    """At twice the rate, for as long as the bucket is empty."""
    await begin(world, msgspec.structs.replace(RATES, device_burst=20.0))
    shed = world.device("shed")
    await send(shed, 300, every_s=0.1)
    await world.settle()
    account = await account_of(shed)
    assert account["received"] == 300 == account["stored"] + account["limited"]
    assert 150 < account["stored"] < 250
    assert not (await shed.person.get("/rejected-messages"))["items"]
    notices = told(world, shed)
    assert 4 <= len(notices) <= 6  # of thirty seconds
    assert {each["reason"] for each in notices} == {"too_fast"}
    assert all(each["retry_after_s"] >= 1 for each in notices)
    assert sum(each["refused"] for each in notices) <= account["limited"]
    assert world.service.limits.refused == account["limited"]


async def test_qos_0_above_the_rate_is_shed_and_counted_and_nobody_told(world: World) -> None:
    await begin(world, msgspec.structs.replace(RATES, device_burst=20.0))
    shed = world.device("shed")
    await send(shed, 300, every_s=0.1, qos=0)
    await world.settle()
    account = await account_of(shed)
    assert account["received"] == 300 == account["stored"] + account["shed"]
    assert account["shed"] > 50
    assert not told(world, shed)


async def test_a_flood_is_shut_out_and_its_page_says_why(world: World) -> None:
    await begin(world)
    shed = world.device("shed")
    async with flooding(shed):
        await trio.sleep(2 * FLOOD_S)
        assert world.trace.fired["device shut out"] == 1
        page = await shed.person.get(f"/devices/{shed.id}")
        assert page["flood"]["reason"] == "too_fast"
        assert page["flood"]["messages_per_s"] >= 50
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


async def backlog(world: World) -> None:
    """Three times what its bucket holds, at five times the ceiling: it is shut out before any of it
    is refused, and sends the rest later."""
    shed = world.device("shed")
    await send(shed, 900, every_s=0.004)
    await world.settle()
    account = await account_of(shed)
    assert (account["stored"], account["limited"]) == (900, 0)
    assert world.trace.fired["device shut out"] >= 2


async def nobody_there(world: World) -> None:
    shed = world.device("shed")
    await shed.publish("t", -1)
    world.kill()
    await send(shed, 750, every_s=1 / RATES.device_per_s)
    world.start()
    await world.settle()
    account = await account_of(shed)
    assert account["limited"] == 0
    assert account["stored"] >= 750
    assert not world.trace.fired["device shut out"]


async def hangs(world: World) -> None:
    await _while_it_takes_nothing(world, lambda process: process.hang(150))


async def store_away(world: World) -> None:
    await _while_it_takes_nothing(world, lambda process: world.fault("store away", seconds=150))


async def _while_it_takes_nothing(world: World, begins: Callable[[Process], None]) -> None:
    shed = world.device("shed")
    await shed.publish("t", -1)
    await world.settle()
    begins(await world.serving())
    await send(shed, 725, every_s=1 / RATES.device_per_s)
    await world.settle()
    account = await account_of(shed)
    assert (account["stored"], account["limited"]) == (726, 0)
    assert not world.trace.fired["device shut out"]


@pytest.mark.parametrize("story", [backlog, nobody_there, hangs, store_away])
async def test_nothing_is_refused_that_was_sent_at_a_pace_that_is_allowed(
    world: World, story: Story
) -> None:
    """What the broker kept meanwhile comes at once; and a backlog of any size loses nothing."""
    await begin(world)
    await story(world)


def by_the_clock(patch: pytest.MonkeyPatch) -> None:
    """Buckets fill by the pace of the arrivals."""
    patch.setattr(Rates, "caught_up", lambda self, *args: None)
    patch.setattr(Rates, "is_there", lambda self, *args: None)
    patch.setattr(Rates, "__init__", partialmethod(_without_sessions, Rates.__init__))


def _without_sessions(self: Rates, init: Any, settings: Any, sessions: Any, flooding: Any) -> None:
    init(self, settings, [], flooding)


def from_the_start(patch: pytest.MonkeyPatch) -> None:
    """What came before the first canary is judged like all else."""
    init = Rates.__init__

    def mistaken(self: Rates, *args: Any) -> None:
        init(self, *args)
        self._since_s = dict.fromkeys(self._since_s, trio.current_time())

    patch.setattr(Rates, "__init__", mistaken)


def nobody_shut_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Floods, "began", lambda self, device, per_s: None)


@pytest.mark.parametrize(
    ("mistake", "story"),
    [
        (by_the_clock, hangs),
        (by_the_clock, nobody_there),
        (from_the_start, nobody_there),
        (nobody_shut_out, backlog),
    ],
)
async def test_the_stories_find_a_mistake(
    world: World, monkeypatch: pytest.MonkeyPatch, mistake: Callable[..., None], story: Story
) -> None:
    mistake(monkeypatch)
    await begin(world)
    with pytest.raises(AssertionError):
        await story(world)


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

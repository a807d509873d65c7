"""What reaches a device's actor, and in which order."""

import random
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.device.registry import REST_S, Devices
from actors.runtime.supervisor import Supervisor
from protocol.messages import AlarmDue, LeaseExpired
from tests.unit.actors.device.fleet import Fleet
from tests.unit.makers import NOW, USER, handed, sent

KEY = (USER, "d1")
EXPIRED = LeaseExpired(key=KEY, after_s=300)


def ignored(*_: Any) -> None:
    """In place of what hears of effects."""


@pytest.fixture
async def devices() -> AsyncIterator[Devices]:
    """Actors that wait for their devices to be loaded, so that their mailboxes can be seen."""
    clock = ManualClock(NOW)
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, clock, random.Random(0))
        anything = cast(Any, None)
        yield Devices(anything, supervisor, anything, ignored, ignored, clock, ignored, ignored)
        nursery.cancel_scope.cancel()


async def waiting(devices: Devices) -> list[Any]:
    (cell,) = devices.cells
    return list(await cell.mailbox.take(10))


async def test_a_lease_runs_out_only_while_nothing_of_the_device_waits(devices: Devices) -> None:
    message = sent("1")
    assert handed(devices, message)
    assert not devices.send(KEY, EXPIRED)
    assert await waiting(devices) == [message]
    assert devices.send(KEY, EXPIRED)


@pytest.mark.parametrize("tail", ["feeds/t", "status"])
async def test_what_comes_after_a_lease_ran_out_is_handled_after_it(
    devices: Devices, tail: str
) -> None:
    """A status goes before readings, and would have been overtaken by the end of the lease that it
    renewed."""
    message = sent('{"status": "online"}' if tail == "status" else "1", tail)
    assert devices.send(KEY, EXPIRED)
    assert handed(devices, message)
    assert await waiting(devices) == [EXPIRED, message]


async def test_an_alarm_is_due_behind_all_readings_that_came_before(devices: Devices) -> None:
    message, due = sent("1"), AlarmDue(feed_num=1, since_us=NOW)
    assert handed(devices, message)
    assert devices.send(KEY, due)
    assert await waiting(devices) == [message, due]


async def test_actors_without_messages_end_and_others_stay(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    fleet = Fleet(nursery, idle_s=60)
    fleet.say("d2")
    for _ in range(8):
        fleet.say("d1")
        await trio.sleep(30)
    assert [cell.name for cell in fleet.devices.cells] == [f"device {USER}/d1"]
    await trio.sleep(2 * 60)
    assert not fleet.devices.cells
    before = len(fleet.done)
    fleet.say("d1")  # starts another
    await trio.sleep(1)
    assert len(fleet.done) > before


async def test_no_actor_keeps_a_task_while_nothing_waits(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    fleet = Fleet(nursery)
    for n in range(100):
        fleet.say(f"d{n}")
    await trio.sleep(REST_S + 1)
    assert not [task for task in nursery.child_tasks if task.name.startswith("device ")]
    before = len(fleet.done)
    fleet.say("d1", 2.0)
    assert len(fleet.done) > before  # its state is there
    await fleet.devices.retire()
    assert not fleet.devices.cells

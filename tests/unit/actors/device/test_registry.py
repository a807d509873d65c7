"""What reaches a device's actor, and in which order."""

import random
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.device.registry import Devices
from actors.runtime.supervisor import Supervisor
from protocol.messages import AlarmDue, LeaseExpired
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

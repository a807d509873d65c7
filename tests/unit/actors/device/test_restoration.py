"""Leases and waiting alarms after a start: page by page, and on from where it stopped."""

from typing import Any, cast

import pytest
import trio
import trio.testing

from actors.adapters.memory.clocks import ManualClock
from actors.device.restoration import ALARMS_AT_ONCE, Restoration
from actors.ports.time import WaitingAlarms
from protocol.errors import Unavailable
from tests.unit.makers import NOW, SECOND, USER, some_alarm

KEY = (USER, "d1")


class Alarms:
    """A store with some pages of alarms, that goes away before some of them."""

    def __init__(self, pages: int, away_before: set[int]) -> None:
        self.asked: list[int] = []
        self.devices_read = 0
        self._pages = pages
        self._away_before = away_before

    async def session_memory(self, session: str) -> None:
        await trio.lowlevel.checkpoint()

    async def online_devices(self) -> list[Any]:
        self.devices_read += 1
        return []

    async def pending_alarms(self, limit: int, after: int) -> WaitingAlarms:
        assert limit == ALARMS_AT_ONCE
        self.asked.append(after)
        if after in self._away_before:
            self._away_before.discard(after)
            raise Unavailable("away")
        waiting = some_alarm(after, since_us=NOW - 10 * SECOND)
        last = after + 1 if after + 1 < self._pages else None
        return WaitingAlarms(alarms=((KEY, waiting, 60.0),), after=last)


class Waits:
    def __init__(self) -> None:
        self.waits: list[tuple[int, float]] = []

    def restore(self, devices: list[Any]) -> None:
        pass

    def wait(self, key: Any, feed_num: int, since_us: int, for_s: float) -> None:
        self.waits.append((feed_num, for_s))


async def test_it_goes_on_where_it_stopped(autojump_clock: trio.testing.MockClock) -> None:
    """Everything was read again, all at once, whenever the store was away for a moment."""
    store, leases = Alarms(4, {0, 2}), Waits()
    await Restoration(cast(Any, store), ManualClock(NOW), cast(Any, leases)).run()
    assert store.asked == [0, 0, 1, 2, 2, 3]
    assert store.devices_read == 1
    assert leases.waits == [(n, 50.0) for n in range(4)]


async def test_after_a_failure_of_its_task_it_goes_on_there_too() -> None:
    store, leases = Alarms(3, set()), Waits()
    restoration = Restoration(cast(Any, store), ManualClock(NOW), cast(Any, leases))
    page = store.pending_alarms

    async def failing(limit: int, after: int) -> WaitingAlarms:
        if after == 2:
            raise RuntimeError("a mistake")
        return await page(limit, after)

    store.pending_alarms = failing  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await restoration.run()
    store.pending_alarms = page  # type: ignore[method-assign]
    await restoration.run()
    assert store.asked == [0, 1, 2]
    assert leases.waits == [(n, 50.0) for n in range(3)]

"""Due work: done when the database said, or when somebody told of something earlier."""

from collections.abc import AsyncIterator

import pytest
import trio

from actors.runtime.jobs import RETRY_S, Job
from actors.runtime.timer import Timer
from protocol.errors import Unavailable
from protocol.times import SECOND_US
from tests.simulation.clock import START_US, VirtualClock
from tests.simulation.running import run_virtually

virtual = pytest.mark.trio(run=run_virtually)


def at(second: float) -> int:
    return START_US + round(second * SECOND_US)


class Scene:
    """One job; `table` has the times at which there is work, `runs` when it looked."""

    def __init__(self) -> None:
        self.table: list[int] = []
        self.runs: list[float] = []
        self.done: list[float] = []
        self.takes_s = 0.0
        self.is_away = False
        self.clock = VirtualClock()
        self.timer = Timer(self.clock, self._ring)
        self.job = Job("work", self.timer, self._work, look_again_s=3_600)

    def _ring(self, key: object) -> None:
        self.job.wake()

    async def _work(self) -> int | None:
        self.runs.append(round(trio.current_time(), 3))
        if self.is_away:
            raise Unavailable("away")
        now_us = self.clock.now_us()
        found = [due for due in self.table if due <= now_us]
        self.table = later = [due for due in self.table if due > now_us]
        await trio.sleep(self.takes_s)
        self.done += [round(trio.current_time(), 3) for _ in found]
        return min(later, default=None)

    def add(self, second: float) -> None:
        self.table = [*self.table, at(second)]
        self.job.due(at(second))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.timer.run)
        nursery.start_soon(made.job.run)
        yield made
        nursery.cancel_scope.cancel()


@virtual
async def test_it_looks_when_something_is_due_and_not_when_it_is_told(scene: Scene) -> None:
    await trio.sleep(1)
    for second in (50, 20, 70, 20, 90):
        scene.add(second)
    await trio.sleep(100)
    assert scene.done == [20, 20, 50, 70, 90]
    assert scene.runs == [0, 20, 50, 70, 90]


@virtual
async def test_what_is_told_of_during_a_look_is_not_lost(scene: Scene) -> None:
    await trio.sleep(1)
    scene.add(10)
    scene.add(60)
    scene.takes_s = 2.0
    await trio.sleep(10)  # it looks since a second, and did not see the next one
    scene.add(30)
    await trio.sleep(60)
    assert scene.done == [12, 32, 62]


@virtual
async def test_a_try_that_failed_is_not_put_off_by_later_work(scene: Scene) -> None:
    await trio.sleep(1)
    scene.add(10)
    scene.is_away = True
    await trio.sleep(10 + RETRY_S / 2)
    scene.add(500)
    scene.is_away = False
    await trio.sleep(2 * RETRY_S)
    assert scene.done == [11 + RETRY_S]
    await trio.sleep(500)
    assert scene.done == [11 + RETRY_S, 500]

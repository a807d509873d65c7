"""The timer: on time, in order, never early, asleep while nothing is due."""

import random
from collections.abc import AsyncIterator, Hashable

import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.runtime.timer import DueTimes, Timer
from tests.simulation.running import run_virtually

virtual = pytest.mark.trio(run=run_virtually)


class Scene:
    def __init__(self) -> None:
        self.clock = ManualClock(0)
        self.rung: list[tuple[float, Hashable]] = []
        self.timer = Timer(self.clock, self._ring)

    def _ring(self, key: Hashable) -> None:
        self.rung.append((trio.current_time() - self.started_s, key))

    started_s = 0.0


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    made.started_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.timer.run)
        yield made
        nursery.cancel_scope.cancel()


def test_due_times_come_out_in_order_and_once_whatever_was_set_and_cancelled() -> None:
    rng = random.Random(1)
    due, known = DueTimes[int](), dict[int, int]()
    for _ in range(20_000):
        key, time = rng.randrange(300), rng.randrange(1_000)
        if rng.random() < 0.3:
            due.cancel(key)
            known.pop(key, None)
        else:
            due.set(key, time)
            known[key] = time
    assert len(due) == len(known)
    out = due.pop(1_000, 1_000)
    assert [known[key] for key in out] == sorted(known.values())
    assert sorted(out) == sorted(known)
    assert due.first is None


def test_the_heap_keeps_few_dead_entries() -> None:
    due = DueTimes[int]()
    for n in range(100_000):
        due.set(n % 10, float(n))
    assert len(due._heap) < 2_000
    assert due.first == 99_990.0


def test_only_what_is_due_comes_out_and_only_so_many() -> None:
    due = DueTimes[str]()
    for n, key in enumerate("abcd"):
        due.set(key, n)
    assert due.pop(2, 2) == ["a", "b"]
    assert due.pop(2, 2) == ["c"]
    assert due.due_of("d") == 3


@virtual
async def test_durations_ring_at_their_moment_and_a_new_one_replaces_the_old(
    scene: Scene,
) -> None:
    scene.timer.after("b", 2.0)
    scene.timer.after("a", 1.0)
    scene.timer.after("c", 5.0)
    await trio.sleep(1.5)
    scene.timer.after("c", 1.0)
    scene.timer.cancel("b")
    await trio.sleep(10)
    assert scene.rung == [(1.0, "a"), (2.5, "c")]


@virtual
async def test_civil_times_follow_the_wall_clock_when_it_is_set(scene: Scene) -> None:
    scene.timer.at("x", 3_600_000_000)
    await trio.sleep(10)
    assert scene.rung == []
    scene.clock.advance(3_600)
    await trio.sleep(0.001)
    assert [key for _, key in scene.rung] == ["x"]


@virtual
async def test_nothing_due_costs_no_wake_up(scene: Scene) -> None:
    class Turns(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += 1

    turns = Turns()
    scene.timer.after("later", 1_000_000.0)
    await trio.sleep(1)
    trio.lowlevel.add_instrument(turns)
    for _ in range(5):
        await trio.sleep(8_000)
    trio.lowlevel.remove_instrument(turns)
    assert turns.count < 10  # five are ours

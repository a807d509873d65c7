"""Who holds the event loop is seen, by name, by wall time and by CPU time."""

from typing import Any

import pytest
import trio

from actors.runtime.loop_lag import BOUNDS_S, Held, LoopLag


class Clocks:
    """Both stand still unless a test lets time pass."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0

    def work(self, wall_s: float, cpu_s: float | None = None) -> None:
        self.wall_s += wall_s
        self.cpu_s += wall_s if cpu_s is None else cpu_s


class Scene:
    def __init__(self) -> None:
        self.clocks = Clocks()
        self.held: list[Held] = []
        self.lag = LoopLag(lambda: self.clocks.wall_s, lambda: self.clocks.cpu_s, self.held.append)

    def run(self, *steps: tuple[float, float]) -> None:
        """Each step in a pass of its own."""

        async def main() -> None:
            self.lag.install()
            for wall_s, cpu_s in steps:
                await trio.lowlevel.checkpoint()
                self.clocks.work(wall_s, cpu_s)
            await trio.lowlevel.checkpoint()
            trio.lowlevel.remove_instrument(self.lag)

        trio.run(main)


@pytest.mark.parametrize(
    ("step", "is_held"),
    [((0.04, 0.04), False), ((0.06, 0.06), True), ((0.4, 0.01), False), ((0.6, 0.01), True)],
)
def test_a_step_is_held_beyond_50_ms_of_cpu_or_half_a_second(
    step: tuple[float, float], is_held: bool
) -> None:
    scene = Scene()
    scene.run((0.001, 0.001), step, (0.001, 0.001))
    assert [(each.wall_s, each.cpu_s) for each in scene.held] == (
        [pytest.approx(step)] if is_held else []
    )
    assert scene.lag.steps_held == is_held
    assert scene.lag.worst_wall.wall_s == pytest.approx(step[0])
    assert "test_loop_lag" in scene.lag.worst_wall.task


def test_what_others_used_just_before_is_not_laid_on_a_step() -> None:
    scene = Scene()

    async def main() -> None:
        scene.lag.install()
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(work)
            nursery.start_soon(slow)

    async def work() -> None:
        scene.clocks.work(0.004)

    async def slow() -> None:
        scene.clocks.work(0.045)

    trio.run(main)
    assert not scene.held
    assert scene.lag.worst_cpu.cpu_s == pytest.approx(0.045)
    # Nobody was slow, and yet who came meanwhile waited for all of them.
    assert scene.lag.passes.counts[BOUNDS_S.index(0.5)] == 1
    assert scene.lag.passes.total == pytest.approx(0.445)


def test_the_name_and_the_place_tell_who_it_was() -> None:
    scene = Scene()

    async def culprit() -> None:
        await trio.lowlevel.checkpoint()
        scene.clocks.work(1.0)
        await trio.lowlevel.checkpoint()

    async def main() -> None:
        scene.lag.install()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(culprit, name="the culprit")
            await trio.lowlevel.checkpoint()

    trio.run(main)
    (held,) = scene.held
    assert held.task == "the culprit"
    assert "culprit" in held.where


def test_quantiles_are_of_passes() -> None:
    scene = Scene()
    scene.run(*[(0.0001, 0.0001)] * 98, (0.2, 0.2), (0.2, 0.2))
    assert scene.lag.passes.quantile(0.5) == 0.001
    assert scene.lag.passes.quantile(0.999) == 0.25


def test_by_the_real_clocks_too() -> None:
    import time

    held: list[Any] = []
    lag = LoopLag(time.perf_counter, time.thread_time, held.append)

    async def main() -> None:
        lag.install()
        await trio.lowlevel.checkpoint()
        until_s = time.thread_time() + 0.1
        while time.thread_time() < until_s:
            pass
        await trio.lowlevel.checkpoint()

    trio.run(main)
    (step,) = held
    assert 0.09 < step.cpu_s < 0.2

"""I9: a seed is a story, told the same every time, and a failure is made small."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest
import trio

from tests.simulation import running
from tests.simulation.broken import Broken
from tests.simulation.drawing import draw
from tests.simulation.lived import life_of
from tests.simulation.plan import Extreme, Fault, Kill, Plan, Publish, described
from tests.simulation.planted import planted
from tests.simulation.running import LIFE_MAX_S, Outcome, run, simulate
from tests.simulation.search import read_plan, report, shrink
from tests.simulation.world import World

DIGEST = "from tests.simulation.drawing import draw; from tests.simulation.running import run; "
DIGEST += "print(*(run(draw(seed)).world.trace.digest for seed in (4, 11)))"


STEPS = 100  # of a plan that is made smaller: each try lives through what is left of them


def test_a_seed_has_one_trace_in_every_process_whatever_the_hash_seed() -> None:
    here = [life_of(seed).digest for seed in (4, 11)]
    assert here[0] != here[1]
    for hash_seed in ("0", "1", "42"):
        told = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout.split()
        assert told == here


def test_a_life_that_asks_no_kernel_is_the_life_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        shed = world.device("shed")
        async with world.open(), world.dashboard():
            await shed.publish("t", 1.0)
            await world.restart()
            await shed.publish("t", 2.0)
            await world.settle()

    def told() -> str:
        world = World(3)
        simulate(world, story)
        return world.trace.digest

    here = told()
    monkeypatch.setattr(running, "without_kernel", nullcontext)
    assert told() == here


def test_a_plan_travels_as_json_and_does_the_same(tmp_path: Path) -> None:
    plan = draw(7)
    path = tmp_path / "plan.json"
    path.write_bytes(msgspec.json.encode(plan))
    again = read_plan(path)
    assert again == plan
    assert run(again).world.trace.digest == life_of(7).digest


def test_a_failure_shrinks_to_what_is_needed_and_says_how_to_see_it_again(tmp_path: Path) -> None:
    def run_wrong(plan: Plan) -> Outcome:
        with planted("acknowledged before the commit"):
            return run(plan)

    # A reading that no store takes, or a service that is too small, loses some without any fault.
    seeds = dict.fromkeys((7, *range(20)))  # the first loses some
    plans = (
        msgspec.structs.replace(plan, poison=-1.0, small=False, steps=plan.steps[:STEPS])
        for plan in map(draw, seeds)
    )
    failed = next(o for o in map(run_wrong, plans) if o.error is not None)
    small = shrink(failed, run_wrong)
    assert len(small.plan.steps) <= 8
    kinds = {type(step) for step in small.plan.steps}
    assert kinds & {Publish, Extreme}  # something to lose
    assert kinds & {Fault, Kill}  # and something that loses it
    told = report(failed, small, tmp_path)
    assert f"pytest --seed {failed.plan.seed}" in told
    assert read_plan(tmp_path / f"seed-{failed.plan.seed}.json") == small.plan


def test_a_world_that_stands_still_is_told_and_not_waited_for() -> None:
    async def waits(world: World) -> None:
        await trio.sleep_forever()

    with pytest.raises(Broken, match="stands still"):
        simulate(World(1), waits)
    assert LIFE_MAX_S > 1_000


def test_a_step_is_told_in_one_line_without_what_is_as_usual() -> None:
    step = Fault(at_s=1.5, kind="line cut")
    assert described(step) == "   1.500  Fault(kind='line cut')"

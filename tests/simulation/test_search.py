"""The search: whatever fails in whatever order, the invariants hold (I1 to I6, I8)."""

from pathlib import Path

import pytest

from tests.simulation import options, tally
from tests.simulation.drawing import draw
from tests.simulation.plan import Plan
from tests.simulation.running import run
from tests.simulation.search import read_plan, report, shrink


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "source" in metafunc.fixturenames:
        given = options.plan_of(metafunc.config)
        sources = options.seeds_of(metafunc.config) if given is None else [given]
        metafunc.parametrize("source", sources, ids=str)


def check(plan: Plan, config: pytest.Config, *, trace: bool) -> None:
    outcome = run(plan)
    tally.fired.update(outcome.world.trace.fired)
    if trace:
        capture = config.pluginmanager.get_plugin("capturemanager")
        assert capture is not None
        with capture.global_and_fixture_disabled():
            print("", *outcome.world.trace.lines, sep="\n")
    if outcome.error is not None:
        if not isinstance(outcome.error, Exception):
            raise outcome.error
        pytest.fail(report(outcome, shrink(outcome)), pytrace=False)


def test_the_invariants_hold_whatever_fails(
    source: int | Path, pytestconfig: pytest.Config
) -> None:
    plan = read_plan(source) if isinstance(source, Path) else draw(source)
    check(plan, pytestconfig, trace=options.shows_trace(pytestconfig))

"""The search: whatever fails in whatever order, the invariants hold (I1 to I6, I8)."""

from pathlib import Path

import pytest

from tests.simulation import options, tally
from tests.simulation.drawing import draw
from tests.simulation.lived import life_of
from tests.simulation.plan import Plan
from tests.simulation.running import Outcome, run
from tests.simulation.search import read_plan, report, shrink


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "source" in metafunc.fixturenames:
        given = options.plan_of(metafunc.config)
        sources = options.seeds_of(metafunc.config) if given is None else [given]
        metafunc.parametrize("source", sources, ids=str)


def fail(outcome: Outcome) -> None:
    if not isinstance(outcome.error, Exception):
        assert outcome.error is not None
        raise outcome.error
    pytest.fail(report(outcome, shrink(outcome)), pytrace=False)


def replay(plan: Plan, config: pytest.Config) -> None:
    """A life for somebody to read."""
    outcome = run(plan)
    tally.fired.update(outcome.world.trace.fired)
    capture = config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print("", *outcome.world.trace.lines, sep="\n")
    if outcome.error is not None:
        fail(outcome)


def test_the_invariants_hold_whatever_fails(
    source: int | Path, pytestconfig: pytest.Config
) -> None:
    if isinstance(source, Path):
        replay(read_plan(source), pytestconfig)
    elif options.shows_trace(pytestconfig):
        replay(draw(source), pytestconfig)
    elif (failed := life_of(source).failed) is not None:
        fail(failed)

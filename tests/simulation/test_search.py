"""The search: whatever fails in whatever order, the invariants hold (I1 to I6, I8)."""

from pathlib import Path

import pytest

from tests.simulation import options
from tests.simulation.plan import Plan, draw
from tests.simulation.running import run
from tests.simulation.search import read_plan, report, shrink


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", options.seeds_of(metafunc.config))
    if "path" in metafunc.fixturenames:
        given = options.plan_of(metafunc.config)
        metafunc.parametrize("path", [] if given is None else [given], ids=str)


def check(plan: Plan, config: pytest.Config, *, trace: bool) -> None:
    outcome = run(plan)
    if trace:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        assert reporter is not None
        reporter.write_line("")
        for line in outcome.world.trace.lines:
            reporter.write_line(line)
    if outcome.error is not None:
        if not isinstance(outcome.error, Exception):
            raise outcome.error
        pytest.fail(report(outcome, shrink(outcome)), pytrace=False)


def test_the_invariants_hold_whatever_fails(seed: int, pytestconfig: pytest.Config) -> None:
    check(draw(seed), pytestconfig, trace=pytestconfig.getoption("seed") is not None)


def test_a_plan_from_a_file(path: Path, pytestconfig: pytest.Config) -> None:
    check(read_plan(path), pytestconfig, trace=True)

"""The search is only worth what it finds: every planted mistake, by the ordinary checkers."""

from collections import Counter

import pytest

from tests.simulation.faults import KINDS
from tests.simulation.plan import draw
from tests.simulation.planted import PLANTS, planted
from tests.simulation.running import run
from tests.simulation.search import kind_of

SEEDS_MAX = 200
FIRED: Counter[str] = Counter()
FOUND: dict[str, str] = {}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_mistake_is_found(name: str) -> None:
    for seed in range(SEEDS_MAX):
        with planted(name):
            outcome = run(draw(seed))
        if outcome.error is not None:
            assert run(draw(seed)).error is None, "the seed fails without the mistake, too"
            FOUND[name] = f"seed {seed}, {kind_of(outcome.error)}"
            return
    pytest.fail(f"{SEEDS_MAX} seeds, and nobody saw it")


def test_every_kind_of_fault_fires() -> None:
    for seed in range(SEEDS_MAX):
        FIRED.update(run(draw(seed)).world.trace.fired)
        if all(FIRED[kind] for kind in KINDS):
            return
    missing = [kind for kind in KINDS if not FIRED[kind]]
    pytest.fail(f"{SEEDS_MAX} seeds, and these never fired: {missing}")


def test_no_fault_fires_under_an_unknown_name() -> None:
    assert set(FIRED) <= set(KINDS)

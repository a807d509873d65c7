"""The search is only worth what it finds: every planted mistake, by the ordinary checkers."""

import json
from pathlib import Path

import pytest

from tests.simulation import (
    planted_broker,
    planted_containment,
    planted_lead,
    planted_listeners,
    planted_people,
    planted_time,
    planted_totals,
    tally,
)
from tests.simulation.broken import Broken
from tests.simulation.drawing import draw
from tests.simulation.faults import KINDS
from tests.simulation.planted import PLANTS, planted
from tests.simulation.running import run
from tests.simulation.search import kind_of

SEEDS_MAX = 200
THEY_PLANT_TOO = (
    planted_broker,
    planted_containment,
    planted_lead,
    planted_listeners,
    planted_people,
    planted_time,
    planted_totals,
)
# The seed that found a mistake the last time is tried first: most mistakes cost one life then. Only
# where that one finds nothing any more are all seeds searched; `--keep-found` writes the new ones.
FILE = Path(__file__).with_name("found_at.json")
FOUND_AT: dict[str, int] = json.loads(FILE.read_text())


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_mistake_is_found(name: str, pytestconfig: pytest.Config) -> None:
    known = [FOUND_AT[name]] if name in FOUND_AT else []
    for seed in (*known, *range(SEEDS_MAX)):
        plan = draw(seed)
        with planted(name):
            outcome = run(plan)
        if outcome.error is not None:
            assert isinstance(outcome.error, Broken), outcome.error
            assert run(plan).error is None, f"seed {seed} fails without the mistake, too"
            tally.found[name] = f"seed {seed}, {kind_of(outcome.error)}"
            if pytestconfig.getoption("keep_found") and FOUND_AT.get(name) != seed:
                kept = {**json.loads(FILE.read_text()), name: seed}
                FILE.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
            return
    pytest.fail(f"{SEEDS_MAX} seeds, and nobody saw it")


def test_every_kind_of_fault_fires_and_none_under_another_name() -> None:
    for seed in range(SEEDS_MAX):
        tally.fired.update(run(draw(seed)).world.trace.fired)
        if all(tally.fired[kind] for kind in KINDS):
            break
    missing = [kind for kind in KINDS if not tally.fired[kind]]
    assert not missing, f"{SEEDS_MAX} seeds, and these never fired"
    assert set(tally.fired) == set(KINDS)

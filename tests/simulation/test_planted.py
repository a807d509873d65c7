"""The search is only worth what it finds: every planted mistake, by the ordinary checkers."""

import json

import pytest

from tests.simulation import (
    planted_bounds,
    planted_broker,
    planted_containment,
    planted_floods,
    planted_lead,
    planted_listeners,
    planted_people,
    planted_refusals,
    planted_retained,
    planted_sessions,
    planted_time,
    planted_totals,
    tally,
)
from tests.simulation.broken import Broken
from tests.simulation.drawing import draw
from tests.simulation.lived import FILE, FOUND_AT, life_of
from tests.simulation.planted import PLANTS, planted
from tests.simulation.running import run
from tests.simulation.search import kind_of

SEEDS_MAX = 200
SEEDS_BESIDE = 60
THEY_PLANT_TOO = (
    planted_bounds,
    planted_broker,
    planted_containment,
    planted_floods,
    planted_lead,
    planted_listeners,
    planted_people,
    planted_sessions,
    planted_refusals,
    planted_retained,
    planted_time,
    planted_totals,
)
# The seed that found a mistake the last time is tried first: most mistakes cost one life then.
# Where that one finds nothing any more, a minute is spent on others. What only one seed in a
# hundred finds needs more of them: with `--keep-found`, which also writes down who found what.


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_mistake_is_found(name: str, pytestconfig: pytest.Config) -> None:
    keeps = pytestconfig.getoption("keep_found")
    known = [FOUND_AT[name]] if name in FOUND_AT else []
    seeds = range(SEEDS_MAX if keeps else SEEDS_BESIDE)
    for seed in dict.fromkeys((*known, *seeds)):
        plan = draw(seed)
        with planted(name):
            outcome = run(plan)
        if outcome.error is not None:
            assert isinstance(outcome.error, Broken), outcome.error
            assert life_of(seed).failed is None, f"seed {seed} fails without the mistake, too"
            tally.found[name] = f"seed {seed}, {kind_of(outcome.error)}"
            if keeps and FOUND_AT.get(name) != seed:
                kept = {**json.loads(FILE.read_text()), name: seed}
                FILE.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
            return
    hint = "" if keeps else f"; pytest {FILE.parent}/test_planted.py --keep-found tries {SEEDS_MAX}"
    pytest.fail(f"neither seed {known} nor {len(seeds)} others saw it{hint}")

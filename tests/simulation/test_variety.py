"""The plans hold every kind of fault. Runs after the search, whose lives it looks at first."""

from collections import Counter

from tests.simulation.faults import KINDS
from tests.simulation.lived import lives_until

SEEDS_MAX = 200


def test_every_kind_of_fault_fires_and_none_under_another_name() -> None:
    fired: Counter[str] = Counter()
    for lived in lives_until(SEEDS_MAX):
        fired.update(lived.fired)
        if all(fired[kind] for kind in KINDS):
            break
    missing = [kind for kind in KINDS if not fired[kind]]
    assert not missing, f"{SEEDS_MAX} seeds, and these never fired"
    assert set(fired) == set(KINDS)

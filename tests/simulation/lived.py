"""Seeds that this run of the tests has lived through: each once, whoever asks for it.

The search lives through all of them; who plants mistakes asks whether a seed is well without one.
A seed is the same life every time (`test_replay.py`), so nothing is learned from a second one.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.simulation import tally
from tests.simulation.drawing import draw
from tests.simulation.running import Outcome, no_collections, run
from tests.simulation.stories import STORIES

# The seed that found a mistake the last time, by its name.
FILE = Path(__file__).with_name("found_at.json")
FOUND_AT: dict[str, int] = json.loads(FILE.read_text())


class Lived(msgspec.Struct, frozen=True):
    """What is kept of a life: its world only where it failed."""

    fired: Counter[str]
    digest: str  # of its trace
    failed: Outcome | None


_lives: dict[int, Lived] = {}


def life_of(seed: int) -> Lived:
    """The life of a seed, as it was or as it is now."""
    if seed not in _lives:
        with no_collections():  # until its world is gone: garbage is looked through once
            _lives[seed] = _lived(run(draw(seed)))
        tally.fired.update(_lives[seed].fired)
    return _lives[seed]


def _lived(outcome: Outcome) -> Lived:
    trace = outcome.world.trace
    return Lived(trace.fired, trace.digest, None if outcome.error is None else outcome)


def seed_of(item: object) -> int | None:
    """The seed that a test of the search, or of a planted mistake, asks for; None: no such test."""
    given = getattr(getattr(item, "callspec", None), "params", {})
    name = given.get("name", "")
    seed = given.get("source", None if name in STORIES else FOUND_AT.get(name))
    return seed if isinstance(seed, int) else None


def lives_until(seeds: int) -> Iterator[Lived]:
    """Those that are over already, then those of the seeds below."""
    yield from list(_lives.values())
    for seed in range(seeds):
        if seed not in _lives:
            yield life_of(seed)

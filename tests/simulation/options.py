"""pytest's options of the simulation, and the `world` fixture for tests of one's own."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from tests.simulation import lived, running
from tests.simulation.world import World

T = TypeVar("T")  # a test

SEEDS = 300  # what `make test` runs
SEARCH = "test_search.py"


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("simulation", "the deterministic simulation")
    group.addoption(
        "--seeds", type=int, metavar="N", help="search: live through the plans of N seeds"
    )
    group.addoption(
        "--first-seed", type=int, default=0, metavar="N", help="where --seeds begins (0)"
    )
    group.addoption("--seed", type=int, metavar="N", help="replay one seed and print its trace")
    group.addoption("--plan", metavar="FILE", help="replay a plan that a failure left")
    group.addoption(
        "--keep-found", action="store_true", help="write found_at.json: who finds which mistake"
    )
    group.addoption("--shard", type=_shard, metavar="K/N", help="the K-th of N parts of all tests")


def _shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    shard = int(number), int(count)
    if not 1 <= shard[0] <= shard[1]:
        raise ValueError(f"{text} is no shard")
    return shard


def is_asked(config: pytest.Config) -> bool:
    """Whether the simulation alone is to run."""
    return any(config.getoption(name) is not None for name in ("seeds", "seed", "plan"))


def seeds_of(config: pytest.Config) -> range:
    """Which seeds the search lives through."""
    seed = config.getoption("seed")
    if seed is not None:
        return range(seed, seed + 1)
    first = config.getoption("first_seed")
    count = config.getoption("seeds")
    return range(first, first + (SEEDS if count is None else count))


def shows_trace(config: pytest.Config) -> bool:
    """Whether one plan is replayed, for somebody to read what happens in it."""
    return config.getoption("plan") is not None or config.getoption("seed") is not None


def plan_of(config: pytest.Config) -> Path | None:
    given = config.getoption("plan")
    return None if given is None else Path(given)


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With an option of the search, nothing but the search; of a shard, what is its own."""
    wanted = list(items)
    if is_asked(config):
        wanted = [item for item in items if item.path.name == SEARCH]
    shard = config.getoption("shard")
    if shard is not None:
        number, count = shard
        wanted = parts_of(wanted, count)[number - 1]
    if len(wanted) < len(items):
        kept = set(wanted)
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = wanted


def parts_of(items: Sequence[T], count: int) -> list[list[T]]:
    """As many tests in each; those that live through one seed are in one, which does it once."""
    parts: list[list[T]] = [[] for _ in range(count)]
    of_seed: dict[int, list[T]] = {}
    for item in items:
        part = min(parts, key=len)
        if (seed := lived.seed_of(item)) is not None:
            part = of_seed.setdefault(seed, part)
        part.append(item)
    return parts


def virtualize(items: list[pytest.Item]) -> None:
    """Tests with a `world` run on virtual time, with the scheduler seeded."""
    for item in items:
        if "world" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.trio(run=running.run_virtually), append=False)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A world on virtual time with its service running: see `docs/testing.md`."""
    made = World(0)
    with running.logging_into(made):
        async with made.open():
            yield made

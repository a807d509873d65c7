"""Full collections stay short, and nothing is hidden from them for ever."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from roost.collecting import AGAIN_S, LONG_S, ShortCollections


class Node:
    """May refer to itself."""

    def __init__(self) -> None:
        self.other: Node | None = None


class Clock:
    """Each look at it is `step_s` later than the one before."""

    def __init__(self) -> None:
        self.now_s = self.step_s = 0.0

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    collections = ShortCollections(clock)
    collections.begin()
    yield clock
    collections.end()
    gc.collect()
    gc.freeze()  # as `conftest` left it


def test_what_survives_a_long_collection_is_not_visited_again(clock: Clock) -> None:
    nodes = [Node() for _ in range(1_000)]
    before = gc.get_freeze_count()
    clock.step_s = LONG_S / 2
    gc.collect()
    assert gc.get_freeze_count() == before  # it was short
    clock.step_s = 2 * LONG_S
    gc.collect()
    assert gc.get_freeze_count() >= before + len(nodes)


def test_what_is_hidden_still_ends_when_nothing_refers_to_it(clock: Clock) -> None:
    clock.step_s = 2 * LONG_S
    node = Node()
    gc.collect()
    seen = weakref.ref(node)
    del node
    assert seen() is None


def test_a_cycle_among_it_is_found_the_next_day(clock: Clock) -> None:
    clock.step_s = 2 * LONG_S
    node = Node()
    node.other = node
    seen = weakref.ref(node)
    gc.collect()
    del node
    gc.collect()
    assert seen() is not None
    clock.now_s += AGAIN_S
    gc.collect()
    assert seen() is None


def test_young_collections_are_left_alone(clock: Clock) -> None:
    clock.step_s = 2 * LONG_S
    before = gc.get_freeze_count()
    for generation in (0, 1):
        gc.collect(generation)
    assert gc.get_freeze_count() == before

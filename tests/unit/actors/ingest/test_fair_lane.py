"""Who has much waits behind their own."""

import pytest
import trio

from actors.ingest.fair_lane import FairLane

Item = tuple[str, int]


def lane(bound: int = 100, share: int = 4) -> FairLane[Item]:
    return FairLane(bound, key=lambda item: item[0], size=lambda item: item[1], share=share)


def keys(items: list[Item]) -> str:
    return "".join(key for key, _ in items)


def test_others_wait_for_one_share_of_who_has_much() -> None:
    waiting = lane()
    for _ in range(20):
        waiting.put(("a", 1))
    for key in "bcb":
        waiting.put((key, 1))
    assert keys(waiting.take(10)) == "aaaabbc"
    assert keys(waiting.take(10)) == "aaaa"
    assert len(waiting) == 12


def test_turns_go_round_where_there_is_more_than_is_taken() -> None:
    waiting = lane()
    for key in "aaaaaabbbbbbcc":
        waiting.put((key, 1))
    assert keys(waiting.take(6)) == "aaaabb"
    assert keys(waiting.take(6)) == "bbbbcc"
    assert keys(waiting.take(6)) == "aa"


def test_what_is_of_one_key_keeps_its_order() -> None:
    waiting = lane(share=2)
    for n in range(1, 4):
        waiting.put(("a", n))
        waiting.put(("b", n))
    taken = []
    while len(waiting):
        taken += waiting.take(100)
    assert [n for key, n in taken if key == "a"] == [1, 2, 3]
    assert [n for key, n in taken if key == "b"] == [1, 2, 3]


def test_a_large_item_that_does_not_fit_comes_first_the_next_time() -> None:
    waiting = lane(share=50)
    waiting.put(("a", 5))
    waiting.put(("b", 9))
    waiting.put(("c", 1))
    assert keys(waiting.take(10)) == "a"
    assert keys(waiting.take(10)) == "bc"


def test_an_item_above_the_share_or_above_all_is_taken_alone() -> None:
    waiting = lane(share=2)
    waiting.put(("a", 9))
    waiting.put(("a", 1))
    assert waiting.take(5) == [("a", 9)]
    assert waiting.take(5) == [("a", 1)]


def test_it_has_a_bound_and_tells_how_full_it_is() -> None:
    waiting = lane(bound=2)
    waiting.put(("a", 1))
    assert not waiting.is_full
    waiting.put(("b", 1))
    assert waiting.is_full
    with pytest.raises(trio.WouldBlock):
        waiting.put(("c", 1))
    statistics = waiting.statistics()
    assert (statistics.waiting, statistics.bound, statistics.put) == (2, 2, 2)

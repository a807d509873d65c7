"""How long roll-ups rest, and how much they take on."""

from typing import Any, cast

import pytest
import trio
import trio.testing

from actors.adapters.memory.clocks import ManualClock
from actors.due import rollups as rolling
from actors.due.rollups import COMMITS_MAX, REST_MAX_S, Rollups
from protocol.errors import Unavailable
from protocol.times import SECOND_US


class SlowStore:
    """Answers after some time, or fails after it."""

    def __init__(self) -> None:
        self.takes_s = 0.0
        self.fails = False
        self.left = 1
        self.limits: list[int] = []

    async def roll_up(self, limit: int) -> int:
        self.limits.append(limit)
        await trio.sleep(self.takes_s)
        if self.fails:
            raise Unavailable("away")
        return self.left


def rest_s(rolling: Rollups, clock: ManualClock) -> float:
    return (rolling.wanted_us() - clock.now_us()) / SECOND_US


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def rolled(store: SlowStore, clock: ManualClock) -> Rollups:
    return Rollups(cast(Any, store), clock)


async def test_after_a_stall_totals_go_on_within_seconds(
    store: SlowStore, clock: ManualClock, rolled: Rollups, autojump_clock: trio.testing.MockClock
) -> None:
    """They rested twenty times the stall: 326 s after one of 50 s."""
    store.takes_s = 16.3
    await rolled.work()
    assert rest_s(rolled, clock) <= REST_MAX_S


async def test_a_quick_turn_rests_twenty_times_as_long(
    store: SlowStore, clock: ManualClock, rolled: Rollups, autojump_clock: trio.testing.MockClock
) -> None:
    store.takes_s = 0.2
    await rolled.work()
    assert rest_s(rolled, clock) == pytest.approx(4.0)
    store.takes_s = 0.001
    await trio.sleep(10)
    await rolled.work()
    assert rest_s(rolled, clock) == pytest.approx(rolling.SOON_S)


async def test_a_turn_takes_on_less_when_it_was_slow_and_more_when_it_was_quick(
    store: SlowStore, rolled: Rollups, autojump_clock: trio.testing.MockClock
) -> None:
    """A turn that never ended within its deadline came again for ever, just as large."""
    store.takes_s, store.fails = 30.0, True
    for _ in range(12):
        with pytest.raises(Unavailable):
            await rolled.work()
    assert store.limits[:3] == [COMMITS_MAX, COMMITS_MAX // 2, COMMITS_MAX // 4]
    assert store.limits[-1] == 1
    store.takes_s, store.fails = 0.01, False
    for _ in range(12):
        await rolled.work()
    assert store.limits[-1] == COMMITS_MAX


async def test_while_the_backlog_grows_it_rests_less_and_afterwards_as_before(
    store: SlowStore, clock: ManualClock, rolled: Rollups, autojump_clock: trio.testing.MockClock
) -> None:
    store.takes_s = 0.2
    rests = []
    for store.left in (1_500, 3_000, 6_000, 12_000, 24_000, 48_000, 48_000, 3_000, 500, 0, 0, 0, 0):
        await rolled.work()
        rests.append(round(rest_s(rolled, clock) / store.takes_s))
        assert rolled.left == store.left
    soon = round(rolling.SOON_S / store.takes_s)
    assert rests == [10, soon, soon, soon, soon, soon, soon, soon, soon, soon, soon, 16, 20]


async def test_a_backlog_that_shrinks_keeps_the_pace_that_shrinks_it(
    store: SlowStore, clock: ManualClock, rolled: Rollups, autojump_clock: trio.testing.MockClock
) -> None:
    store.takes_s = 1.0
    rests = []
    for store.left in (5_000, 9_000, 20_000, 15_000, 11_000):
        await rolled.work()
        rests.append(rest_s(rolled, clock))
    assert rests == pytest.approx([10.0, 5.0, 2.5, 2.5, 2.5])

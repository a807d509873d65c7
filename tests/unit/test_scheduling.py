"""How much is claimed at once."""

import trio
from trio.testing import MockClock

from actors.scheduling import (
    BESIDE_PER_S,
    CLAIM_MAX,
    CLAIM_MIN,
    CLAIM_PACE_S,
    CLAIMED_PER_S,
    Portions,
)
from protocol.recurrence import occurrences
from protocol.schedules import planned
from protocol.times import parse_rfc3339
from tests.contract.test_store_schedules import some_schedule


async def taken(portions: Portions, every_s: float, times: int) -> list[int]:
    sizes = []
    for _ in range(times):
        await trio.sleep(every_s)
        sizes.append(portions.take())
    return sizes


async def test_what_comes_after_a_pause_is_taken_at_once(autojump_clock: MockClock) -> None:
    portions = Portions()
    assert portions.take() == CLAIM_MAX
    assert await taken(portions, 60, 1) == [CLAIM_MAX]


async def test_a_machine_that_keeps_the_pace_gets_small_portions(
    autojump_clock: MockClock,
) -> None:
    portions = Portions()
    portions.take()
    assert set(await taken(portions, CLAIM_PACE_S, 20)) == {CLAIM_MIN}


async def test_a_slower_machine_gets_larger_ones_and_keeps_the_rate(
    autojump_clock: MockClock,
) -> None:
    portions = Portions()
    portions.take()
    sizes = await taken(portions, 0.012, 100)
    assert abs(sum(sizes) - 100 * 0.012 * CLAIMED_PER_S) < 100
    assert max(await taken(portions, 0.5, 3)) == CLAIM_MAX


async def test_where_others_go_first_it_takes_a_tenth(autojump_clock: MockClock) -> None:
    portions = Portions()
    sizes = []
    for _ in range(round(1 / CLAIM_PACE_S)):
        sizes.append(portions.beside())
        await trio.sleep(CLAIM_PACE_S)
    assert set(sizes) == {0, CLAIM_MIN}
    assert abs(sum(sizes) - BESIDE_PER_S) < 2 * CLAIM_MIN


def test_many_due_at_one_moment_are_out_within_five_seconds() -> None:
    assert 10_000 / CLAIMED_PER_S < 4.8


async def test_what_is_hard_to_plan_is_planned_in_portions() -> None:
    """Two hundred at once, after an outage, held everybody for two seconds."""
    start_us = parse_rfc3339("2026-01-01T00:00:00Z")
    schedule = some_schedule(
        trigger_us=start_us,
        timezone="UTC",
        recurrence="FREQ=MINUTELY;INTERVAL=1439;BYHOUR=3;BYMINUTE=7",
        exclusions=(),
    )
    wanted = occurrences(schedule.rule, start_us, 40)
    planned_us = start_us
    times: list[int] = []
    while len(times) < 40:
        after, more = planned(schedule, planned_us, 200)
        assert len(more) <= 4
        assert after.plan_us is not None
        assert after.plan_us <= more[-1]  # it is gone on with before they have all fired
        assert after.planned_us is not None
        planned_us, times = after.planned_us, times + more
    assert times[:40] == wanted

"""How much is claimed at once."""

from types import SimpleNamespace

import trio
from trio.testing import MockClock

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.store import MemoryStore
from actors.due.occurrences import (
    BESIDE_PER_S,
    CLAIM_MAX,
    CLAIM_MIN,
    CLAIM_PACE_S,
    CLAIMED_PER_S,
    ClaimPacer,
    Scheduling,
)
from actors.ports.time import Claimed, Judge
from protocol.schedule.recurrence import occurrences
from protocol.schedule.schedules import planned
from protocol.times import parse_rfc3339
from tests.contract.test_store_schedules import some_schedule


async def taken(portions: ClaimPacer, every_s: float, times: int) -> list[int]:
    sizes = []
    for _ in range(times):
        await trio.sleep(every_s)
        sizes.append(portions.take())
    return sizes


async def test_what_comes_after_a_pause_is_taken_at_once(autojump_clock: MockClock) -> None:
    portions = ClaimPacer()
    assert portions.take() == CLAIM_MAX
    assert await taken(portions, 60, 1) == [CLAIM_MAX]


async def test_a_machine_that_keeps_the_pace_gets_small_portions(
    autojump_clock: MockClock,
) -> None:
    portions = ClaimPacer()
    portions.take()
    assert set(await taken(portions, CLAIM_PACE_S, 20)) == {CLAIM_MIN}


async def test_a_slower_machine_gets_larger_ones_and_keeps_the_rate(
    autojump_clock: MockClock,
) -> None:
    portions = ClaimPacer()
    portions.take()
    sizes = await taken(portions, 0.012, 100)
    assert abs(sum(sizes) - 100 * 0.012 * CLAIMED_PER_S) < 100
    assert max(await taken(portions, 0.5, 3)) == CLAIM_MAX


async def test_where_others_go_first_it_takes_a_tenth(autojump_clock: MockClock) -> None:
    portions = ClaimPacer()
    sizes = []
    for _ in range(round(1 / CLAIM_PACE_S)):
        sizes.append(portions.beside())
        await trio.sleep(CLAIM_PACE_S)
    assert set(sizes) == {0, CLAIM_MIN}
    assert abs(sum(sizes) - BESIDE_PER_S) < 2 * CLAIM_MIN


class Due(MemoryStore):
    """So many occurrences are due; and how many commands are claimed beside them."""

    def __init__(self, many: int) -> None:
        super().__init__(ManualClock())
        self.many = many
        self.asked = 0

    async def claim_occurrences(self, now_us: int, limit: int, judge: Judge) -> Claimed:
        await trio.lowlevel.checkpoint()
        self.many = max(0, self.many - limit)
        return Claimed(next_us=now_us if self.many else None)

    async def claim_commands(self, now_us: int, limit: int) -> Claimed:
        await trio.lowlevel.checkpoint()
        self.asked += limit
        return Claimed()


async def test_tries_again_are_slow_while_occurrences_wait_for_their_command(
    autojump_clock: MockClock,
) -> None:
    store = Due(1_000_000)
    clock = ManualClock()
    command_outbox = SimpleNamespace(room=10_000, send=lambda claimed: None)
    scheduling = Scheduling(
        store,
        clock,
        command_outbox,  # type: ignore[arg-type]
        SimpleNamespace(),  # type: ignore[arg-type]  # nothing is built here
        changed=lambda progress: None,
        planned=lambda: None,
    )

    async def for_a_second() -> int:
        store.asked = 0
        for _ in range(round(1 / CLAIM_PACE_S)):
            await scheduling.fire()
            await scheduling.try_commands()
            await trio.sleep(CLAIM_PACE_S)
        return store.asked

    await scheduling.fire()
    assert 0 < await for_a_second() <= 1.2 * BESIDE_PER_S
    store.many = 1
    assert await for_a_second() > CLAIMED_PER_S / 2


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

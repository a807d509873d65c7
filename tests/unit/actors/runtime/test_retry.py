"""Work that waits for a server which is away, and how long it pauses."""

import random

import pytest
import trio

from actors.runtime.retry import DOUBLED_MAX, STEADY_S, Pauses, grown_s, until_available
from protocol.errors import Unavailable
from tests.simulation.running import run_virtually

virtual = pytest.mark.trio(run=run_virtually)


def test_pauses_double_up_to_the_longest_and_never_overflow() -> None:
    pauses = Pauses(1.0, 5.0)
    assert [pauses.next_s() for _ in range(5)] == [1, 2, 4, 5, 5]
    assert grown_s(10_000, 1.0, 1e9) == 2.0**DOUBLED_MAX
    assert [Pauses(3.0).next_s() for _ in range(3)] == [3, 3, 3]


def test_pauses_are_short_again_after_a_steady_run() -> None:
    pauses = Pauses(1.0, 60.0)
    assert [pauses.next_s(ran_s) for ran_s in (0, STEADY_S / 2, STEADY_S, 0)] == [1, 2, 1, 2]


def test_a_pause_with_jitter_is_between_half_of_it_and_all_of_it() -> None:
    pauses = Pauses(8.0, rng=random.Random(1))
    paused_s = [pauses.next_s() for _ in range(200)]
    assert 4 <= min(paused_s) < 4.5
    assert 7.5 < max(paused_s) <= 8


@virtual
async def test_work_is_tried_again_until_its_server_answers() -> None:
    errors = [Unavailable("away"), Unavailable("still away")]
    told: list[str] = []

    async def work() -> str:
        await trio.lowlevel.checkpoint()
        if errors:
            raise errors.pop(0)
        return "done"

    since_s = trio.current_time()
    answer = await until_available(work, Pauses(1.0, 9.0), lambda error: told.append(str(error)))
    assert (answer, told) == ("done", ["away", "still away"])
    assert trio.current_time() - since_s == 1 + 2


@virtual
async def test_another_failure_comes_out_at_once() -> None:
    async def work() -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await until_available(work, Pauses(1.0), lambda error: None)

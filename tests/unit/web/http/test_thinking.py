"""What takes the processor for long goes by turns, and costs those who ask for it."""

from typing import Any

import pytest
import trio
import trio.testing

from protocol.errors import Invalid, TooMany
from protocol.problems.detail import Detail
from web.http.limits import COST_S, Rates
from web.http.paced_frames import FRAMES_AT_ONCE, FRAMES_PER_S, at_a_pace
from web.http.thinking import OF_ONE_MAX, Thinking

STEP_S = 0.05


async def test_others_have_the_processor_between_two_steps(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Twenty-four previews at once held everybody for 0.8 s."""
    thinking = Thinking(lambda who, took_s: None)
    held: list[float] = []
    stop = trio.Event()

    async def other() -> None:
        while not stop.is_set():
            since_s = trio.current_time()
            await trio.sleep(0.001)
            held.append(trio.current_time() - since_s)

    async def ask() -> None:
        await thinking.turn("ada", lambda: autojump_clock.jump(STEP_S))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        async with trio.open_nursery() as asking:
            for _ in range(24):
                asking.start_soon(ask)
        stop.set()
    assert max(held) < 2 * STEP_S
    assert sum(1 for each in held if each < STEP_S / 2) > 24 * STEP_S / 0.002  # half of the time


async def test_who_asks_for_little_does_not_wait_for_who_asks_for_much(
    autojump_clock: trio.testing.MockClock,
) -> None:
    thinking = Thinking(lambda who, took_s: None)
    order: list[str] = []

    async def ask(who: str) -> None:
        await thinking.turn(who, lambda: autojump_clock.jump(STEP_S))
        order.append(who)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask, "ada")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask, "bob")
    assert order.index("bob") <= 2


async def test_what_a_step_raises_is_told_and_what_is_too_much_is_refused(
    autojump_clock: trio.testing.MockClock,
) -> None:
    thinking = Thinking(lambda who, took_s: None)

    def refuse() -> None:
        raise Invalid({"recurrence": Detail("rule_line")})

    with pytest.raises(Invalid):
        await thinking.turn("ada", refuse)
    ended: list[str] = []

    async def ask() -> None:
        try:
            await thinking.turn("ada", lambda: autojump_clock.jump(STEP_S))
        except TooMany:
            ended.append("refused")
        else:
            ended.append("done")

    async with trio.open_nursery() as nursery:
        for _ in range(OF_ONE_MAX + 5):
            nursery.start_soon(ask)
    assert ended.count("refused") == 5


async def test_a_request_costs_by_its_work(autojump_clock: Any) -> None:
    rates = Rates(10.0)  # a hundred at once
    rates.charge("ada", 40 * COST_S)
    rates.charge_items("ada", 1_000)  # nine more than a page of a hundred
    for _ in range(51):
        rates.check("ada")
    with pytest.raises(TooMany):
        rates.check("ada")
    rates.charge_items("ada", 100)  # no more than any other
    for _ in range(100):
        rates.check("bob")


async def test_what_is_owed_is_waited_for(autojump_clock: Any) -> None:
    rates = Rates(1.0)  # ten at once
    rates.charge("ada", 30 * COST_S)
    with pytest.raises(TooMany) as refused:
        rates.check("ada")
    assert refused.value.retry_after_s == 21
    await trio.sleep(21)
    rates.check("ada")


async def test_frames_are_read_no_faster_than_their_pace(autojump_clock: Any) -> None:
    async def receive() -> bytes:
        return b"{}"

    paced = at_a_pace(receive)
    for _ in range(FRAMES_AT_ONCE + 100):
        await paced()
    assert trio.current_time() == pytest.approx(100 / FRAMES_PER_S)

"""An address is served at its pace, and no other address waits for it."""

from typing import Any

import pytest
import trio

from protocol.errors import TooMany
from web.http.pace import AT_ONCE, WAIT_MAX_S, Pace

PER_S = 100.0


async def test_what_is_more_than_its_pace_waits_in_the_order_in_which_it_came(
    autojump_clock: Any,
) -> None:
    pace = Pace(PER_S)
    served: list[tuple[int, float]] = []

    async def ask(n: int) -> None:
        await pace.wait("203.0.113.9")
        served.append((n, trio.current_time()))

    since_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        for n in range(AT_ONCE + 100):
            nursery.start_soon(ask, n)
            await trio.lowlevel.checkpoint()
        await pace.wait("203.0.113.10")
        assert trio.current_time() == since_s
    assert [n for n, _ in served] == list(range(AT_ONCE + 100))
    assert served[-1][1] - since_s == pytest.approx(1.0)
    assert sum(at_s == since_s for _, at_s in served) == AT_ONCE


async def test_who_would_wait_for_too_long_is_refused(autojump_clock: Any) -> None:
    pace = Pace(PER_S)
    refused: list[int] = []

    async def ask() -> None:
        try:
            await pace.wait("203.0.113.9")
        except TooMany as error:
            refused.append(error.retry_after_s or 0)

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE + round(PER_S * WAIT_MAX_S) + 5):
            nursery.start_soon(ask)
    assert refused == [round(WAIT_MAX_S) + 1] * 5

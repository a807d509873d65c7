"""Housekeeping: each part by itself, and again after whatever it failed with."""

import random
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.due.tidying import TIDY_AGAIN_MAX_S, TIDY_EVERY_S, keep_tidy
from actors.ingest.refusal_budget import RefusalLimits
from actors.ports.charts import Expired
from actors.runtime.supervisor import Supervisor
from protocol.rest.charts import DAY_US


class Part:
    """A part of the housekeeping, which fails as long as it shall."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.tries: list[float] = []
        self.done = 0

    async def __call__(self, *args: object) -> Expired:
        await trio.lowlevel.checkpoint()
        self.tries.append(trio.current_time())
        if self.error is not None:
            raise self.error
        self.done += 1
        return Expired(deleted=0, after=None, is_left=False)


async def test_a_part_that_fails_ends_neither_the_others_nor_the_process_and_is_tried_again(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    rows, history, media, trim = Part(), Part(), Part(), Part()
    rows.error = RuntimeError("permission denied for table tickets")  # of a kind nobody foresaw
    supervisor = Supervisor(nursery, ManualClock(), random.Random(1))
    store: Any = SimpleNamespace(
        tidy=lambda days: rows(),
        expire_history=history,
        trim_rejections=trim,
        expire_minute_sums=Part(),
    )
    library: Any = SimpleNamespace(settle_all=media)
    keep_tidy(supervisor, store, ManualClock(), library, RefusalLimits.usual())
    await trio.sleep(3 * TIDY_EVERY_S + 1)
    assert (rows.done, history.done, media.done, trim.done) == (0, 4, 4, 4)
    assert len(rows.tries) < 40
    assert "permission denied" in supervisor.health.degraded()["tidying: rows"]
    assert list(supervisor.health.failures) == ["tidying: rows"]
    rows.error = None
    await trio.sleep(TIDY_AGAIN_MAX_S + 20)
    assert rows.done == 1
    assert supervisor.health.degraded() == {}


@pytest.mark.parametrize(("days", "expired"), [(35, [35]), (1, [1]), (0, [])])
async def test_sums_of_minutes_expire_at_midnight_after_so_many_days_or_never(
    autojump_clock: Any, nursery: trio.Nursery, days: int, expired: list[int]
) -> None:
    clock, asked = ManualClock(), []
    part = Part()

    async def expire(until_us: int) -> None:
        await part()
        asked.append(until_us)

    store: Any = SimpleNamespace(
        tidy=part, expire_history=part, trim_rejections=part, expire_minute_sums=expire
    )
    keep_tidy(
        Supervisor(nursery, clock, random.Random(1)),
        store,
        clock,
        SimpleNamespace(settle_all=part),  # type: ignore[arg-type]
        RefusalLimits.usual(),
        minute_sums_days=days,
    )
    await trio.sleep(1)
    today_us = clock.now_us() // DAY_US * DAY_US
    assert asked == [today_us - each * DAY_US for each in expired]

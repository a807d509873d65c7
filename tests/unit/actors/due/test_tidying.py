"""Housekeeping: each part by itself, and again after whatever it failed with."""

import random
from types import SimpleNamespace
from typing import Any

import trio

from actors.adapters.memory.clocks import ManualClock
from actors.due.tidying import TIDY_AGAIN_MAX_S, TIDY_EVERY_S, keep_tidy
from actors.ingest.refusal_budget import RefusalLimits
from actors.ports.charts import Expired
from actors.runtime.supervisor import Supervisor


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
        tidy=lambda days: rows(), expire_history=history, trim_rejections=trim
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

"""Hourly housekeeping, each part by itself: a part that fails is retried with growing pauses."""

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from actors.due.retention import Retention
from actors.ingest.refusal_budget import RefusalLimits
from actors.media import library
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.supervisor import Supervisor
from protocol.people.people import AUDIT_KEPT_DAYS
from protocol.rest.charts import DAY_US, MINUTE_SUMS_DAYS

TIDY_EVERY_S = 3600.0
TIDY_AGAIN_S = 1.0
TIDY_AGAIN_MAX_S = 600.0


def keep_tidy(
    supervisor: Supervisor,
    store: Store,
    clock: WallClock,
    media: library.Library,
    refusals: RefusalLimits,
    audit_days: int = AUDIT_KEPT_DAYS,
    minute_sums_days: int = MINUTE_SUMS_DAYS,
) -> None:
    """Delete rows that are no longer needed, readings beyond their feeds' retention, sums of
    minutes that are older than so many days (0: none), refusals beyond a user's limit, and contents
    of media that nobody has: now, and every hour."""
    retention = Retention(store)

    async def expire() -> None:
        await retention.run(clock.now_us())

    async def expire_sums() -> None:
        if minute_sums_days:
            until_us = clock.now_us() - minute_sums_days * DAY_US
            # At midnight: they expire once a day.
            await store.expire_minute_sums(until_us - until_us % DAY_US)

    async def trim() -> None:
        await store.trim_rejections(refusals.kept_max, refusals.kept_bytes_max)

    parts: dict[str, Callable[[], Awaitable[object]]] = {
        "rows": partial(store.tidy, audit_days),
        "history": expire,
        "minute sums": expire_sums,
        "refusals": trim,
        "media": media.settle_all,
    }
    for name, part in parts.items():
        supervisor.run_essential(
            f"tidying: {name}",
            partial(_every, TIDY_EVERY_S, part),
            pause_first_s=TIDY_AGAIN_S,
            pause_max_s=TIDY_AGAIN_MAX_S,
        )


async def _every(seconds: float, part: Callable[[], Awaitable[object]]) -> None:
    while True:
        await part()
        await trio.sleep(seconds)

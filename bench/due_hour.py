"""Very many schedules that come due within one hour: how late each is, and what they cost.

    python -m bench.due_hour [SCHEDULES] [SECONDS]

SCHEDULES (100,000) of one user on 500 devices are due evenly over the next hour. Measured are
SECONDS (60) of it: how late their commands arrive at a subscriber, the CPU of Roost, how long the
first page of schedules and that of what comes due take, and a reading on the socket meanwhile.
Prints JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import trio
import trio_asyncio

from bench.due import GRACE_S, Prepared, cpu_s, prepare, told
from bench.due_hearing import Listener, Probe
from bench.service import Service, running
from roost.embedded.postgres import url_of

HOUR_S = 3_600
# A schedule that was made over REST is noticed at once; these are found by the timer's look ahead.
AHEAD_S = 30
LATE_S = 2.0  # what is later than that is missed here
_MAKE = """
WITH made AS (
    INSERT INTO media_schedules (id, user_id, device_id, media_id, trigger_at, timezone, exclusions,
        misfire, grace_s, enabled, created_at, planned_at)
    SELECT gen_random_uuid(), $1::text::uuid, d.ids[1 + n % cardinality(d.ids)], $3::text::uuid,
        $4::timestamptz + n * $5::float8 * interval '1 second', 'UTC', '{}', 'fire', $6, true,
        now(), $4::timestamptz + n * $5::float8 * interval '1 second'
    FROM generate_series(0, $7::int - 1) AS n, (SELECT $2::text[]::uuid[] AS ids) d
    RETURNING num, trigger_at)
INSERT INTO schedule_occurrences (schedule_num, due_at) SELECT num, trigger_at FROM made
"""


async def make(service: Service, prepared: Prepared, many: int, first: datetime) -> None:
    user_id, devices, media_id, _, _ = prepared
    every_s = HOUR_S / many
    async with trio_asyncio.open_loop():
        at = trio_asyncio.aio_as_trio
        database = await at(asyncpg.connect)(url_of(service.data_dir / "postgres"))
        given = (user_id, devices, media_id, first, every_s, GRACE_S, many)
        await at(database.execute)(_MAKE, *given)
        await at(database.execute)("ANALYZE media_schedules, schedule_occurrences")
        await at(database.close)()


def timed(ask: Callable[[], Any]) -> float:
    """Milliseconds."""
    began_s = time.perf_counter()
    ask()
    return round((time.perf_counter() - began_s) * 1000, 1)


async def measure(service: Service, many: int, for_s: int) -> None:
    prepared = prepare(service)
    user_id, devices, media_id, device, _ = prepared
    first = datetime.now(UTC) + timedelta(seconds=AHEAD_S)
    await make(service, prepared, many, first)
    body = {"media_id": media_id, "device_id": devices[0], "grace_s": GRACE_S}
    service.post("/media-schedules", {**body, "trigger_time": first.isoformat()})
    print(
        json.dumps(
            {
                "what": "first page of schedules",
                "ms": timed(lambda: service.get("/media-schedules?limit=100")),
            }
        )
    )
    wanted = many * for_s // HOUR_S
    topic = f"users/{user_id}/devices/+/commands"
    with Listener(service, topic, service.data_dir.parent / "heard") as listener:
        probe = Probe(service, device)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(probe.run)
            await trio.sleep(max(0.0, first.timestamp() - time.time()))
            before_s = cpu_s(service.pid)
            await trio.sleep(for_s)
            used = (cpu_s(service.pid) - before_s) / for_s
            await trio.sleep(LATE_S)
            nursery.cancel_scope.cancel()
        late, _ = listener.heard(first.timestamp())
    told("published after due", late, of=wanted)
    told("a reading on the socket", probe.between(first.timestamp(), first.timestamp() + for_s))
    print(json.dumps({"what": "CPU of a core", "percent": round(100 * used, 1)}))


def main() -> None:
    given = [int(each) for each in sys.argv[1:]]
    many, for_s = (given + [100_000, 60][len(given) :])[:2]
    limits = ("--user-messages-per-s", "1000000", "--schedules-of-user", "1000000")
    with running("--log-level", "warning", *limits) as service:
        trio.run(measure, service, many, for_s)


if __name__ == "__main__":
    main()

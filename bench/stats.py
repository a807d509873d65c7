"""How long `GET /dashboard/stats` takes for a user with many devices, each with a feed.

    python -m bench.stats [DEVICES]

Devices, feeds and an hour of readings (one a minute of each feed) are made by the database itself.
"""

import json
import statistics
import sys
import time

import asyncpg
import trio
import trio_asyncio

from actors.adapters.postgres.store import open_store
from bench.service import Service, running
from roost.embedded.postgres import url_of

TIMES = 50
HOURS = 1

_DEVICES = """
INSERT INTO devices (id, user_id, code, name, offline_after_s, created_at, username, client_id,
    password_sha256, status)
SELECT gen_random_uuid(), $1::text::uuid, 'd' || n, 'd' || n, 300, now(), 'u' || n, 'c' || n,
    ''::bytea, CASE WHEN n % 3 = 0 THEN 'offline' ELSE 'online' END
FROM generate_series(1, $2::integer) AS n
"""
_FEEDS = """
INSERT INTO feeds (id, user_id, device_id, key, name, kind, enabled, on_violation, created_at)
SELECT gen_random_uuid(), user_id, id, 't', 't', 'number', true, 'reject', now() FROM devices
WHERE user_id = $1::text::uuid
"""
_READINGS = """
INSERT INTO feed_values (feed_num, device_num, ts, digest, number)
SELECT num, 1, date_trunc('hour', now()) + m * interval '1 minute'
    - $1::integer * interval '1 hour', m, num FROM feeds, generate_series(0, 59) AS m
"""
_NOTE = """
INSERT INTO rollup_log (since, feeds, minutes)
SELECT min(minute), array_agg(num), array_agg(minute)
FROM (SELECT f.num, m, (extract(epoch FROM date_trunc('hour', now())
    - $1::integer * interval '1 hour') / 60)::integer + m AS minute
    FROM feeds f, generate_series(0, 59) AS m) n GROUP BY m
"""


async def fill(url: str, user_id: str, devices: int) -> None:
    """Asyncio-flavored."""
    connection = await asyncpg.connect(url)
    await connection.execute("SET synchronous_commit = off")
    await connection.execute(_DEVICES, user_id, devices)
    await connection.execute(_FEEDS, user_id)
    for hour in range(HOURS):
        await connection.execute(_READINGS, hour)
        await connection.execute(_NOTE, hour)
    await connection.execute("VACUUM (ANALYZE)")
    await connection.close()


async def measure(service: Service, devices: int) -> None:
    user_id = str(service.sign_in()["id"])
    url = url_of(service.data_dir / "postgres")
    async with trio_asyncio.open_loop(), open_store(url) as store:
        await trio_asyncio.aio_as_trio(fill)(url, user_id, devices)
        began_s = time.perf_counter()
        while await store.roll_up(10):
            pass
        print(json.dumps({"summed_up_s": round(time.perf_counter() - began_s, 1)}), flush=True)
    times = []
    for _ in range(TIMES):
        began_s = time.perf_counter()
        answer = service.get("/dashboard/stats")
        times.append(time.perf_counter() - began_s)
    assert answer["total_devices"] == devices
    result = {
        "devices": devices,
        "points": len(answer["feed_values"]["points"]),
        "median_ms": round(statistics.median(times) * 1000, 1),
        "max_ms": round(max(times) * 1000, 1),
    }
    print(json.dumps(result))


def main() -> None:
    devices = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with running("--log-level", "warning") as service:
        trio.run(measure, service, devices)


if __name__ == "__main__":
    main()

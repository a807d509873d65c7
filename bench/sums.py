"""How long the sums of a busy minute take, as an hour fills.

    python -m bench.sums [DEVICES] [USERS] [MINUTES]

So many devices (10,000) of so many users (100) have five feeds each, and every feed a reading a
minute. The minutes (60) of one hour are written one after the other, as commits of 500 readings
would note them, and each is summed up at once. Prints JSON: seconds of work for the sums of the
first, the middle and the last minute, and the share of a connection that this is at that pace.
"""

import asyncio
import json
import sys
import time

from actors.adapters.postgres.rollups.rolling import roll_up
from actors.adapters.postgres.wire import connections
from bench.service import beside

FEEDS = 5
COMMIT = 500
TURN = 1_000  # commits

_ENROL = """
WITH u AS (INSERT INTO users (id, email, password_hash, created_at)
    SELECT gen_random_uuid(), 'sums' || n || '@roost.local', '', now()
    FROM generate_series(1, {users}) n RETURNING id),
numbered AS (SELECT id, row_number() OVER () - 1 AS n FROM u)
INSERT INTO devices (id, user_id, code, name, offline_after_s, created_at, username, client_id,
    password_sha256)
SELECT gen_random_uuid(), u.id, 's' || k, 's' || k, 300, now(), 'sums' || k, 'sums-' || k, ''
FROM generate_series(0, {devices} - 1) k JOIN numbered u ON u.n = k % {users}
"""
_FEEDS = """
INSERT INTO feeds (id, user_id, device_id, key, name, kind, enabled, on_violation, created_at)
SELECT gen_random_uuid(), d.user_id, d.id, 'f' || f, 'f' || f, 'number', true, 'reject', now()
FROM devices d, generate_series(1, {feeds}) f
"""
_WRITE = """
INSERT INTO feed_values (feed_num, device_num, ts, digest, number, flagged)
SELECT f.num, d.num, 'epoch'::timestamptz + {minute} * interval '1 minute' + interval '7 s', f.num,
    random(), false
FROM feeds f JOIN devices d ON d.id = f.device_id
"""
_NOTE = """
INSERT INTO rollup_log (since, feeds, minutes)
SELECT {minute}, array_agg(num), array_agg({minute})
FROM (SELECT num, (row_number() OVER (ORDER BY num) - 1) / {commit} AS part FROM feeds) f
GROUP BY part
"""


async def measure(url: str, devices: int, users: int, minutes: int) -> list[float]:
    database = await connections.connect(url)
    await database.execute(_ENROL.format(devices=devices, users=users))
    await database.execute(_FEEDS.format(feeds=FEEDS))
    first = int(time.time()) // 3600 * 60
    spent = []
    for minute in range(first, first + minutes):
        await database.execute(_WRITE.format(minute=minute))
        await database.execute(_NOTE.format(minute=minute, commit=COMMIT))
        began_s = time.perf_counter()
        while await roll_up(database, TURN):
            pass
        spent.append(time.perf_counter() - began_s)
    await database.close()
    return spent


def main() -> None:
    given = [int(each) for each in sys.argv[1:]]
    devices, users, minutes = (given + [10_000, 100, 60][len(given) :])[:3]
    with beside() as servers:
        with servers.roost("--log-level", "warning"):
            pass  # it makes the tables
        spent = asyncio.run(measure(servers.database_url, devices, users, minutes))
    found = {
        "devices": devices,
        "users": users,
        "first_s": round(spent[0], 2),
        "middle_s": round(spent[len(spent) // 2], 2),
        "last_s": round(spent[-1], 2),
        "share": round(spent[-1] / 60, 3),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""A year of one reading a second (30 million rows): how fast charts of it are, over REST.

    python -m bench.charts [DAYS]

The database itself creates the rows. Then they are summed up like those of devices, and charts of
several spans are requested, with 480 points each. Also prints the query plan of the longest.
"""

import json
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import trio
import trio_asyncio

from actors.adapters.postgres import chart_queries
from actors.adapters.postgres.chart_pieces import HOURS
from actors.adapters.postgres.store import open_store
from actors.adapters.postgres.wire import connections
from bench.service import Service, running
from protocol.rest.charts import HOUR_US
from protocol.times import SECOND_US
from roost.embedded.postgres import url_of

TIMES = 20
POINTS = 480
SPANS = {"an hour": 1 / 24, "a day": 1, "a week": 7, "a month": 30, "a year": 365}

_FILL = """
INSERT INTO feed_values (feed_num, device_num, ts, digest, number)
SELECT $1, $2, $3::timestamptz + n * interval '1 second', n, 20 + 5 * sin(n / 13751.0)
FROM generate_series(0, 86399) AS n
"""
_NOTE = """
INSERT INTO rollup_log (since, feeds, minutes)
SELECT min(m), array_agg($1::integer), array_agg(m)
FROM generate_series($2::integer, $2 + 1439) AS m
"""


async def fill(url: str, feed_num: int, device_num: int, first: datetime, days: int) -> None:
    """Asyncio-flavored: a day at a time."""
    connection = await asyncpg.connect(url)
    await connection.execute("SET synchronous_commit = off")
    for day in range(days):
        since = first + timedelta(days=day)
        await connection.execute(_FILL, feed_num, device_num, since)
        await connection.execute(_NOTE, feed_num, int(since.timestamp()) // 60)
    await connection.execute("VACUUM (ANALYZE) feed_values")
    await connection.close()


async def plan_of(url: str, feed_num: int, first: datetime, last: datetime) -> list[str]:
    """Asyncio-flavored: PostgreSQL's query plan for the chart of the whole time."""
    connection = await connections.connect(url)
    start_us, end_us = (round(t.timestamp()) * SECOND_US for t in (first, last))
    end_us -= end_us % HOUR_US
    pieces = [HOURS], [start_us], [end_us]
    query = f"EXPLAIN (ANALYZE, BUFFERS) {chart_queries.FEED}"
    bounds = start_us, start_us, end_us
    found = await connection.fetch(query, feed_num, *pieces, 86400.0, 0, 0, 1, [], *bounds)
    await connection.close()
    return [row[0] for row in found]


def ask(service: Service, feed_id: str, start: datetime, end: datetime) -> tuple[float, int]:
    """How long a chart took (s), and how many points it has."""
    query: dict[str, str | int] = {"start": start.isoformat(), "end": end.isoformat()}
    query["max_points"] = POINTS
    began_s = time.perf_counter()
    answer = service.http.get(f"/api/v1/feed-values/{feed_id}", params=query)
    took_s = time.perf_counter() - began_s
    answer.raise_for_status()
    return took_s, len(answer.json()["items"])


def measured(what: str, times: list[float], **more: Any) -> None:
    result = {
        "what": what,
        "median_ms": round(statistics.median(times) * 1000, 1),
        "max_ms": round(max(times) * 1000, 1),
        **more,
    }
    print(json.dumps(result), flush=True)


async def measure(service: Service, days: int) -> None:
    user_id = str(service.sign_in()["id"])
    device = service.post("/devices", {"device_code": "d", "name": "d"})
    feed = service.post("/feeds", {"key": "t", "name": "t", "device_id": device["id"]})
    url = url_of(service.data_dir / "postgres")
    last = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = last - timedelta(days=days)
    async with trio_asyncio.open_loop(), open_store(url) as store:
        (known,) = await store.last_values(user_id, [feed["id"]])
        began_s = time.perf_counter()
        await trio_asyncio.aio_as_trio(fill)(url, known.num, 1, first, days)
        filled_s = time.perf_counter()
        while await store.roll_up(30):
            pass
        rolled_s = time.perf_counter()
        rows = days * 86_400
        print(json.dumps({"rows": rows, "filled_s": round(filled_s - began_s, 1)}), flush=True)
        print(json.dumps({"summed_up_s": round(rolled_s - filled_s, 1)}), flush=True)
        for what, span in SPANS.items():
            if span <= days:
                since = last - timedelta(days=span)
                asked = [ask(service, feed["id"], since, last) for _ in range(TIMES)]
                measured(f"a chart of {what}", [took for took, _ in asked], points=asked[0][1])
        for line in await trio_asyncio.aio_as_trio(plan_of)(url, known.num, first, last):
            print(line)


def main() -> None:
    days = int(sys.argv[1]) if len(sys.argv) > 1 else 365
    with running("--log-level", "warning") as service:
        trio.run(measure, service, days)


if __name__ == "__main__":
    main()

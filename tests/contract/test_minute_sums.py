"""Sums of minutes in PostgreSQL: weeks of them are dropped, and nobody waits for it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import pytest
import trio

from actors.adapters.postgres import chart_queries
from actors.adapters.postgres.rollups import expiry
from actors.adapters.postgres.views import role_of
from actors.adapters.postgres.wire import connections, migrating, partitions
from actors.adapters.postgres.wire.migrating import migrate
from actors.adapters.postgres.wire.preparing import prepare
from protocol.errors import Unavailable
from protocol.rest.charts import Bucket
from roost.embedded.postgres import EmbeddedPostgres
from tests.contract.pg_scene import Scene
from tests.contract.test_store import of
from tests.unit.makers import SECOND, USER

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
_PARTS = """
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'feed_minutes'::regclass
    AND inhrelid <> 'feed_minutes_default'::regclass ORDER BY 1
"""


@pytest.fixture
async def six_weeks(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> tuple[Scene, int]:
    """Six weeks of minutes: a reading every day, summed up. And the present."""
    weeks = [msgspec.structs.replace(each, back=6) for each in partitions.WEEKS]
    monkeypatch.setattr(partitions, "WEEKS", weeks)
    monkeypatch.setattr(expiry, "GRACE", "0 s")
    await scene.store.tidy()
    now_us = time.time_ns() // 1000
    readings = [scene.home.reading(float(n), now_us - n * DAY) for n in range(40)]
    await scene.home.commit(of(*readings))
    while await scene.home.store.roll_up(100):
        pass
    return scene, now_us


async def chart(scene: Scene, now_us: int, bucket_s: int) -> list[Bucket]:
    num = scene.home.feeds["number"].num
    found = await scene.home.store.feed_buckets(num, now_us - 50 * DAY, now_us + HOUR, bucket_s)
    total = await scene.home.store.user_buckets(USER, now_us - 50 * DAY, now_us + HOUR, bucket_s)
    assert total == found
    return found


async def count(scene: Scene, table: str) -> int:
    ((rows,),) = await scene.fetch(f"SELECT count(*) FROM {table}")
    return int(rows)


async def test_weeks_that_expired_are_dropped_and_charts_stay_as_they_are(
    six_weeks: tuple[Scene, int],
) -> None:
    scene, now_us = six_weeks
    weeks = await scene.fetch(_PARTS)
    before = [await chart(scene, now_us, each) for each in (60, 1_800, 3_600, 86_400)]
    assert await count(scene, "feed_minutes_default") == 0
    await scene.store.expire_minute_sums(now_us - 20 * DAY)
    # A chart that began before may still read them.
    assert await scene.fetch(_PARTS) == weeks
    assert [await chart(scene, now_us, each) for each in (60, 1_800, 3_600, 86_400)] == before
    await scene.store.expire_minute_sums(now_us - 20 * DAY)
    assert 3 <= len(weeks) - len(await scene.fetch(_PARTS)) <= 4
    # Of the week in which it was, some are left.
    assert 20 <= await count(scene, "feed_minutes") <= 27
    assert await count(scene, "user_minutes") == await count(scene, "feed_minutes")
    assert await count(scene, "feed_hours") == 40
    assert [await chart(scene, now_us, each) for each in (60, 1_800, 3_600, 86_400)] == before
    # Nothing makes the weeks again, and nothing gives the minutes back.
    await scene.store.tidy()
    await scene.store.expire_minute_sums(now_us - 90 * DAY)
    assert len(await scene.fetch(_PARTS)) < len(weeks)
    assert await scene.fetch("SELECT minutes_since FROM rollup_turn WHERE minutes_since < now()")


async def test_a_week_waits_until_charts_of_before_have_certainly_ended(
    six_weeks: tuple[Scene, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, now_us = six_weeks
    monkeypatch.setattr(expiry, "GRACE", "5 minutes")
    weeks = await scene.fetch(_PARTS)
    for days in (20, 19):
        await scene.store.expire_minute_sums(now_us - days * DAY)
    assert await scene.fetch(_PARTS) == weeks


async def test_nobody_waits_longer_than_a_second_for_a_week_to_be_dropped(
    six_weeks: tuple[Scene, int],
) -> None:
    scene, now_us = six_weeks
    await scene.store.expire_minute_sums(now_us - 20 * DAY)
    weeks = await scene.fetch(_PARTS)
    await scene.fetch("BEGIN")
    await scene.fetch("SELECT count(*) FROM feed_minutes")
    since = time.monotonic()
    with pytest.raises(Unavailable):
        await scene.store.expire_minute_sums(now_us - 20 * DAY)
    assert time.monotonic() - since < 5
    await scene.home.commit(of(scene.home.reading(1.5, now_us)))
    assert await scene.home.store.roll_up(100) == 0
    await scene.fetch("COMMIT")
    await scene.store.expire_minute_sums(now_us - 20 * DAY)
    assert len(await scene.fetch(_PARTS)) < len(weeks)


async def test_what_is_of_one_week_touches_no_other(six_weeks: tuple[Scene, int]) -> None:
    """A plan that visits all weeks would lock them all, and cost the more the longer they are
    kept."""
    scene, now_us = six_weeks
    (first, *_) = [name for (name,) in await scene.fetch(_PARTS)]
    await scene.fetch("BEGIN")
    for table in (first, first.replace("feed", "user")):
        await scene.fetch(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    store, num = scene.home.store, scene.home.feeds["number"].num
    with trio.fail_after(15):
        await scene.home.commit(of(scene.home.reading(1.5, now_us)))
        assert await store.roll_up(100) == 0
        for bucket_s in (60, 3_600):
            asked = now_us - 2 * DAY, now_us + HOUR, bucket_s
            found = await store.feed_buckets(num, *asked)
            assert sum(bucket.count for bucket in found) == 4
            assert await store.user_buckets(USER, *asked) == found
        assert await store.delete_history(num, now_us - HOUR, None) == 2
    await scene.fetch("ROLLBACK")


async def test_minutes_outside_of_all_weeks_are_deleted_in_portions(
    six_weeks: tuple[Scene, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, now_us = six_weeks
    monkeypatch.setattr(expiry, "ROWS_AT_ONCE", 3)
    readings = [scene.home.reading(float(n), now_us - 300 * DAY - n * MINUTE) for n in range(10)]
    await scene.home.commit(of(*readings))
    while await scene.home.store.roll_up(100):
        pass
    assert await count(scene, "feed_minutes_default") == 10
    for _ in range(2):
        await scene.store.expire_minute_sums(now_us - 100 * DAY)
    assert await count(scene, "feed_minutes_default") == 0
    assert await count(scene, "user_minutes_default") == 0
    assert await count(scene, "feed_minutes") == 40


async def test_totals_of_before_are_made_of_hours_after_a_deletion(
    six_weeks: tuple[Scene, int],
) -> None:
    """There are no minutes of feeds any more that they could be made of."""
    scene, now_us = six_weeks
    await scene.home.commit(of(scene.home.reading(True, now_us - 30 * DAY)))
    while await scene.home.store.roll_up(100):
        pass
    for _ in range(2):
        await scene.store.expire_minute_sums(now_us - 20 * DAY)
    await scene.home.store.delete_feed(USER, scene.home.feeds["bool"].id)
    for _ in range(2):
        days = await chart(scene, now_us, 86_400)
        assert [bucket.count for bucket in days] == [1] * 40
        while await scene.home.store.roll_up(100):
            pass
    assert await count(scene, "user_hours") == 40


# The version before: its last migration, and what it had.
_FORMER = 27
_FILL = (
    "CREATE TABLE migrations"
    " (number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL)",
    "INSERT INTO users (id, email, password_hash, created_at)"
    f" VALUES ('{USER}', 'ann@example.org', '', now())",
    "INSERT INTO feeds (id, user_id, key, name, kind, enabled, on_violation, created_at)"
    f" VALUES (gen_random_uuid(), '{USER}', 'k', 'k', 'number', true, 'reject', now())",
    "INSERT INTO feed_values (feed_num, device_num, ts, digest, number)"
    " SELECT 1, 0, now() - n * interval '7 minutes', n, n FROM generate_series(1, 3000) n",
    "INSERT INTO feed_rollups SELECT 1, 1, date_bin('1 minute', ts, 'epoch'), 1, number, number,"
    " number, number FROM feed_values",
    "INSERT INTO feed_rollups SELECT 1, 2, date_bin('1 hour', ts, 'epoch'), count(*), sum(sum),"
    " min(min), max(max), avg(mean) FROM feed_rollups GROUP BY 3",
    f"INSERT INTO user_rollups SELECT '{USER}', level, ts, count, sum, min, max, mean"
    " FROM feed_rollups",
    f"CREATE SCHEMA {role_of(USER)}",
    f'CREATE VIEW {role_of(USER)}.readings_by_hour AS SELECT r.ts AS "time", f.key AS device_code,'
    " f.key AS feed_key, f.name AS feed_name, f.unit, r.count, r.mean AS avg, r.min, r.max"
    " FROM feeds f JOIN feed_rollups r ON r.feed_num = f.num AND r.level = 2",
)


@asynccontextmanager
async def _former(server: EmbeddedPostgres, name: str) -> AsyncIterator[Any]:
    """A connection to a database of the version before, with sums of two weeks."""
    made = await asyncpg.connect(server.url)
    await made.execute(f"CREATE DATABASE {name}")
    await made.close()
    connection = await connections.connect(server.url.replace("/postgres?", f"/{name}?"))
    for number, path in migrating.files().items():
        if number <= _FORMER:
            await connection.execute(path.read_text())
    for statement in _FILL:
        await connection.execute(statement)
    await connection.executemany(
        "INSERT INTO migrations VALUES ($1, '', now())",
        [(number,) for number in migrating.files() if number <= _FORMER],
    )
    try:
        yield connection
    finally:
        await connection.close()


async def _charts(connection: Any, now_us: int) -> list[list[Bucket]]:
    found = []
    for bucket_s in (60, 1_800, 3_600, 86_400):
        asked = now_us - 20 * DAY, now_us, bucket_s, ()
        found.append(await chart_queries.feed_buckets(connection, 1, *asked))
        assert await chart_queries.user_buckets(connection, USER, *asked) == found[-1]
    return found


def test_sums_of_the_version_before_are_the_first_partition_and_are_not_looked_through(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be hundreds of gigabytes, and nobody could use them meanwhile."""
    monkeypatch.setattr(expiry, "GRACE", "0 s")
    said: list[str] = []

    async def check() -> None:
        async with _former(postgres, "of_version_27") as connection:
            connection.add_log_listener(lambda _, message: said.append(str(message)))
            await connection.execute("SET client_min_messages = debug1")
            assert len(await migrate(connection)) > 0
            await connection.execute("RESET client_min_messages")
            await _is_whole(connection)

    asyncio.run(check())
    implied = [line for line in said if "_minutes_before_" in line and "is implied" in line]
    assert len(implied) == 2


async def _is_whole(connection: Any) -> None:
    """Whatever comes from sums is what the readings are, also when the former sums are dropped."""
    now_us = time.time_ns() // 1000 // HOUR * HOUR
    before = await _charts(connection, now_us)
    until_us = now_us + 400 * DAY
    await connection.execute("UPDATE rollup_turn SET minutes_since = $1", until_us)
    assert await _charts(connection, now_us) == before
    await expiry.expire_minutes(connection, until_us)
    assert await connection.fetchval("SELECT count(*) FROM feed_minutes") == 0
    assert [*map(tuple, await connection.fetch(_PARTS))] == []
    assert await _charts(connection, now_us) == before
    for table in ("feed_hours", "user_hours", f"{role_of(USER)}.readings_by_hour"):
        assert await connection.fetchval(f"SELECT sum(count)::int FROM {table}") == 3000


def test_a_migration_that_was_cut_off_after_its_preparation_is_repeated(
    postgres: EmbeddedPostgres,
) -> None:
    async def check() -> None:
        async with _former(postgres, "of_version_27_again") as connection:
            # Weeks ago; nobody took the promise of then back.
            await connection.execute(
                "ALTER TABLE feed_rollups ADD CONSTRAINT before_2001_01_01"
                " CHECK (ts < '2001-01-01') NOT VALID"
            )
            for _ in range(2):
                await prepare(connection)
            # The program of before goes on.
            await connection.execute(
                "INSERT INTO feed_rollups SELECT 1, 1, now() + interval '1 day', 1, 1, 1, 1, 1"
            )
            assert len(await migrate(connection)) > 0
            promises = "SELECT conname FROM pg_constraint WHERE conname ~ '^before_'"
            assert await connection.fetch(promises) == []
            assert await migrate(connection) == []
            assert await connection.fetchval("SELECT sum(count)::int FROM feed_hours") == 3000

    asyncio.run(check())

"""Readings summed up per minute and hour, and everything that reads or changes many at once.

Every commit notes which minutes of which feeds it wrote to. A job takes these notes and counts just
those minutes again from the readings, then their hours: late readings are in it like all others,
and counting twice is harmless.
"""

from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres import rows
from actors.adapters.postgres.committing import insert_readings
from actors.adapters.postgres.crossing import Crossing
from protocol.charts import HOUR_US, MINUTE_US, Bucket, minutes_of
from protocol.records import Feed, Reading
from protocol.stats import Counts
from protocol.times import SECOND_US

LOCK = 0x526F_6F73_74 + 2
MINUTES, HOURS = 1, 2
# Until then a reading may come and be counted from the readings themselves.
FRESH_US = 5 * MINUTE_US
PURGE_WITHIN_S = 600.0
AT_ONCE = 10_000

_VALUE = "coalesce(number, boolean::integer)"

_TAKE = """
WITH taken AS (
    DELETE FROM rollup_log WHERE num IN (SELECT num FROM rollup_log ORDER BY num LIMIT $1)
    RETURNING feeds, minutes)
SELECT DISTINCT t.feed_num, t.minute FROM taken, unnest(taken.feeds, taken.minutes)
    AS t (feed_num, minute) ORDER BY 1, 2
"""

# $1 and $2 are feeds and their units of time, numbered since 1970.
_TOUCHED = """
    SELECT t.feed_num, 'epoch'::timestamptz + t.n * interval '1 {unit}' AS ts
    FROM unnest($1::integer[], $2::integer[]) AS t (feed_num, n)
"""
_FORGET_FEEDS = """
DELETE FROM feed_rollups r USING ({touched}) t
WHERE r.feed_num = t.feed_num AND r.level = {level} AND r.ts = t.ts
"""

# Each unit by itself (LATERAL with an aggregate): joined first, all readings of a feed would be
# held against all of its minutes.
_SUM_MINUTES = f"""
INSERT INTO feed_rollups SELECT t.feed_num, {MINUTES}, t.ts, s.*
FROM ({{touched}}) t CROSS JOIN LATERAL (
    SELECT count(v) AS count, sum(v), min(v), max(v)
    FROM (SELECT {_VALUE} AS v FROM feed_values f WHERE f.feed_num = t.feed_num
        AND f.ts >= t.ts AND f.ts < t.ts + interval '1 minute') f) s
WHERE s.count > 0
"""
_SUM_HOURS = f"""
INSERT INTO feed_rollups SELECT t.feed_num, {HOURS}, t.ts, s.*
FROM ({{touched}}) t CROSS JOIN LATERAL (
    SELECT sum(r.count) AS count, sum(r.sum), min(r.min), max(r.max) FROM feed_rollups r
    WHERE r.feed_num = t.feed_num AND r.level = {MINUTES}
        AND r.ts >= t.ts AND r.ts < t.ts + interval '1 hour') s
WHERE s.count > 0
"""
_SUM_USERS = """
WITH touched AS MATERIALIZED (SELECT DISTINCT f.user_id, t.ts FROM ({touched}) t
    JOIN feeds f ON f.num = t.feed_num),
summed AS MATERIALIZED (SELECT t.user_id, t.ts, s.* FROM touched t CROSS JOIN LATERAL (
    SELECT sum(r.count) AS count, sum(r.sum) AS sum, min(r.min) AS min, max(r.max) AS max
    FROM feeds f JOIN feed_rollups r ON r.feed_num = f.num
    WHERE f.user_id = t.user_id AND r.level = {level} AND r.ts = t.ts) s),
gone AS (DELETE FROM user_rollups u USING summed s WHERE u.user_id = s.user_id
    AND u.level = {level} AND u.ts = s.ts AND s.count IS NULL)
INSERT INTO user_rollups AS u SELECT user_id, {level}, ts, count, sum, min, max FROM summed
WHERE count IS NOT NULL
ON CONFLICT (user_id, level, ts) DO UPDATE SET count = excluded.count, sum = excluded.sum,
    min = excluded.min, max = excluded.max
"""

# The beginning and the end from the readings, what lies between from their sums.
_BUCKETS = f"""
SELECT date_bin(make_interval(secs => $7), ts, 'epoch') AS at, sum(count)::bigint AS count,
    sum(sum) AS sum, min(min) AS min, max(max) AS max
FROM (
    SELECT ts, count, sum, min, max FROM feed_rollups
    WHERE feed_num = $1 AND level = $2 AND ts >= $4 AND ts < $5
    UNION ALL
    SELECT ts, 1, v, v, v FROM (SELECT ts, {_VALUE} AS v FROM feed_values WHERE feed_num = $1
        AND (ts >= $3 AND ts < $4 OR ts >= $5 AND ts < $6)) f WHERE v IS NOT NULL
) r GROUP BY 1 ORDER BY 1
"""


_COUNTS = """
SELECT (SELECT count(*) FROM devices WHERE user_id = u.id) AS devices,
    (SELECT count(*) FROM devices WHERE user_id = u.id AND status <> 'offline') AS online,
    (SELECT count(*) FROM alarms WHERE user_id = u.id AND state IN ('active', 'acknowledged'))
        AS open_alarms,
    (SELECT count(*) FROM media_schedules WHERE user_id = u.id) AS schedules,
    (SELECT count(*) FROM media_schedules WHERE user_id = u.id AND enabled) AS enabled,
    (SELECT min(o.due_at) FROM media_schedules s
        JOIN schedule_occurrences o ON o.schedule_num = s.num AND o.state = 'pending'
        WHERE s.user_id = u.id) AS next_at
FROM (SELECT $1::text::uuid AS id) u
"""


async def roll_up(connection: Any, limit: int) -> int | None:
    async with connection.transaction():
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
            return None
        touched = [tuple(row) for row in await connection.fetch(_TAKE, limit)]
        if touched:
            hours = sorted({(feed, minute // 60) for feed, minute in touched})
            await _sum(connection, MINUTES, "minute", _SUM_MINUTES, touched)
            await _sum(connection, HOURS, "hour", _SUM_HOURS, hours)
        left: int = await connection.fetchval(
            "SELECT coalesce(max(num) - min(num) + 1, 0) FROM rollup_log"
        )
    return left


async def _sum(
    connection: Any, level: int, unit: str, counted: str, touched: Sequence[tuple[int, int]]
) -> None:
    """Count these units of time again, for their feeds and for whose feeds they are."""
    which = _TOUCHED.format(unit=unit)
    for statement in (_FORGET_FEEDS, counted, _SUM_USERS):
        sql = statement.format(touched=which, level=level)
        await connection.execute(sql, *rows.columns(touched, 2))


async def feed_bounds(connection: Any, feed_num: int) -> tuple[int, int] | None:
    row = await connection.fetchrow(
        "SELECT (SELECT min(ts) FROM feed_values WHERE feed_num = $1) AS first,"
        " (SELECT max(ts) FROM feed_values WHERE feed_num = $1) AS last",
        feed_num,
    )
    return None if row["first"] is None else (row["first"], row["last"])


async def feed_buckets(
    connection: Any, feed_num: int, start_us: int, end_us: int, bucket_s: int
) -> list[Bucket]:
    level, unit_us = (HOURS, HOUR_US) if bucket_s % 3600 == 0 else (MINUTES, MINUTE_US)
    since_us = until_us = end_us  # from the sums
    if bucket_s % 60 == 0:
        fresh_us = await connection.fetchval(
            "SELECT least(now(), (SELECT at FROM rollup_log ORDER BY num LIMIT 1))"
        )
        until_us = min(end_us, fresh_us - FRESH_US) // unit_us * unit_us
        since_us = min(until_us, -(-start_us // unit_us) * unit_us)
        if since_us < start_us:
            since_us = until_us = end_us
    found = await connection.fetch(
        _BUCKETS, feed_num, level, start_us, since_us, until_us, end_us, float(bucket_s)
    )
    return _buckets(found)


async def user_buckets(
    connection: Any, user_id: str, start_us: int, end_us: int, bucket_s: int
) -> list[Bucket]:
    found = await connection.fetch(
        "SELECT date_bin(make_interval(secs => $5), ts, 'epoch') AS at,"
        " sum(count)::bigint AS count, sum(sum) AS sum, min(min) AS min, max(max) AS max"
        " FROM user_rollups WHERE user_id = $1::text::uuid AND level = $2 AND ts >= $3 AND ts < $4"
        " GROUP BY 1 ORDER BY 1",
        user_id,
        HOURS if bucket_s % 3600 == 0 and start_us % HOUR_US == 0 else MINUTES,
        start_us,
        end_us,
        float(bucket_s),
    )
    return _buckets(found)


def _buckets(found: Sequence[Any]) -> list[Bucket]:
    return [Bucket(row["at"], row["count"], row["sum"], row["min"], row["max"]) for row in found]


async def dashboard_counts(connection: Any, user_id: str, start_us: int, end_us: int) -> Counts:
    row = await connection.fetchrow(_COUNTS, user_id)
    states = await connection.fetch(
        "SELECT o.state, count(*) FROM media_schedules s"
        " JOIN schedule_occurrences o ON o.schedule_num = s.num"
        " WHERE s.user_id = $1::text::uuid AND o.due_at >= $2 AND o.due_at < $3 GROUP BY 1",
        user_id,
        start_us,
        end_us,
    )
    return Counts(
        devices=row["devices"],
        online=row["online"],
        open_alarms=row["open_alarms"],
        schedules=row["schedules"],
        enabled_schedules=row["enabled"],
        occurrences={each["state"]: each["count"] for each in states},
        next_us=row["next_at"],
    )


async def last_values(connection: Any, user_id: str, feed_ids: Sequence[str]) -> list[Feed]:
    found = await connection.fetch(
        f"SELECT {rows.FEED} FROM unnest($2::text[]) WITH ORDINALITY AS i (id, place)"
        f" JOIN ({rows.FEED_FROM}) ON f.id = i.id::uuid AND f.user_id = $1::text::uuid"
        " ORDER BY i.place",
        user_id,
        list(feed_ids),
    )
    return [rows.feed(row) for row in found]


async def add_history(connection: Any, feed: Feed, readings: Sequence[Reading]) -> int:
    async with connection.transaction():
        await note_minutes(connection, readings)
        return await insert_readings(connection, readings)


async def note_minutes(connection: Any, readings: Sequence[Reading]) -> None:
    """These minutes are to be summed up again."""
    touched = minutes_of(readings)
    if touched:
        await connection.execute(
            "INSERT INTO rollup_log (feeds, minutes) VALUES ($1, $2)",
            *rows.columns(touched, 2),
        )


async def delete_history(
    connection: Any, feed_num: int, start_us: int | None, end_us: int | None
) -> int:
    """Some at a time, so that no writer waits for it; then what was summed up of it."""
    deleted = await _delete_values(connection, feed_num, start_us, end_us)
    async with connection.transaction():
        await _forget_sums(connection, feed_num, start_us, end_us)
        await connection.execute(
            "DELETE FROM feed_last WHERE feed_num = $1 AND NOT EXISTS (SELECT FROM feed_values v"
            " WHERE v.feed_num = $1 AND v.ts = feed_last.ts)",
            feed_num,
        )
        await connection.execute(
            "INSERT INTO feed_last SELECT feed_num, ts, number, text, boolean FROM feed_values"
            " WHERE feed_num = $1 ORDER BY ts DESC LIMIT 1 ON CONFLICT (feed_num) DO NOTHING",
            feed_num,
        )
    return deleted


async def _delete_values(
    connection: Any, feed_num: int, start_us: int | None, end_us: int | None
) -> int:
    deleted = 0
    while True:
        # By their times: in a partitioned table rows have no place of their own to be named by.
        last_us = await connection.fetchval(
            "SELECT ts FROM feed_values WHERE feed_num = $1"
            " AND ts >= coalesce($2, '-infinity'::timestamptz)"
            f" AND ts < coalesce($3, 'infinity'::timestamptz) ORDER BY ts OFFSET {AT_ONCE} LIMIT 1",
            feed_num,
            start_us,
            end_us,
        )
        until_us = end_us if last_us is None else last_us + 1
        status = await connection.execute(
            "DELETE FROM feed_values WHERE feed_num = $1"
            " AND ts >= coalesce($2, '-infinity'::timestamptz)"
            " AND ts < coalesce($3, 'infinity'::timestamptz)",
            feed_num,
            start_us,
            until_us,
        )
        deleted += int(status.split()[1])
        if last_us is None:
            return deleted


async def _forget_sums(
    connection: Any, feed_num: int, start_us: int | None, end_us: int | None
) -> None:
    """Every minute in which something may be gone is counted again."""
    await connection.execute(
        "INSERT INTO rollup_log (feeds, minutes) SELECT array_agg(feed_num),"
        " array_agg((extract(epoch FROM ts) / 60)::integer) FROM feed_rollups"
        " WHERE feed_num = $1 AND level = 1"
        " AND ts > coalesce($2, '-infinity'::timestamptz) - interval '1 minute'"
        " AND ts < coalesce($3, 'infinity'::timestamptz) HAVING count(*) > 0",
        feed_num,
        start_us,
        end_us,
    )


async def expire_history(connection: Any, now_us: int) -> int:
    deleted = 0
    for row in await connection.fetch(
        "SELECT num, retain_days FROM feeds WHERE retain_days IS NOT NULL ORDER BY num"
    ):
        until_us = now_us - row["retain_days"] * 24 * 3600 * SECOND_US
        # Whole minutes, so that nothing is left to be counted again.
        until_us -= until_us % MINUTE_US
        many = await _delete_values(connection, row["num"], None, until_us)
        if many:
            await _forget_sums(connection, row["num"], None, until_us)
        deleted += many
    return deleted


class ChartCalls(Crossing):
    """See `actors.ports.charts.ChartStore`."""

    async def feed_bounds(self, feed_num: int) -> tuple[int, int] | None:
        return await self._work(feed_bounds, feed_num)

    async def feed_buckets(
        self, feed_num: int, start_us: int, end_us: int, bucket_s: int
    ) -> list[Bucket]:
        return await self._work(feed_buckets, feed_num, start_us, end_us, bucket_s)

    async def user_buckets(
        self, user_id: str, start_us: int, end_us: int, bucket_s: int
    ) -> list[Bucket]:
        return await self._work(user_buckets, user_id, start_us, end_us, bucket_s)

    async def dashboard_counts(self, user_id: str, start_us: int, end_us: int) -> Counts:
        return await self._work(dashboard_counts, user_id, start_us, end_us)

    async def roll_up(self, limit: int) -> int | None:
        return await self._work(roll_up, limit)

    async def last_values(self, user_id: str, feed_ids: Sequence[str]) -> list[Feed]:
        return await self._work(last_values, user_id, feed_ids)

    async def add_history(self, feed: Feed, readings: Sequence[Reading]) -> int:
        return await self._work(add_history, feed, readings)

    async def delete_history(self, feed_num: int, start_us: int | None, end_us: int | None) -> int:
        return await self._work(delete_history, feed_num, start_us, end_us, within_s=PURGE_WITHIN_S)

    async def expire_history(self, now_us: int) -> int:
        return await self._work(expire_history, now_us, within_s=PURGE_WITHIN_S)

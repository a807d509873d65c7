"""Readings summed up per minute and hour, of each feed and of each user.

A job takes the notes of commits (`notes`) and computes those minutes again from the readings, then
their hours, then those of the user. So late readings are included like all others, and computing
twice is harmless. Minutes that expired (`expiry`) have no sums of their own: their hours are
computed from the readings. Two promises hold at every moment: the sums of a feed equal its
readings, except for minutes that are noted; the sums of a user equal those of the feeds, except for
hours that are stale (`history_deletion`).
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from actors.adapters.postgres import chart_queries, history_deletion
from actors.adapters.postgres.chart_pieces import HOURS, MINUTES
from actors.adapters.postgres.dead_letters import clear
from actors.adapters.postgres.ingest import loading
from actors.adapters.postgres.ingest.storing import insert_readings
from actors.adapters.postgres.rollups import expiry, stale
from actors.adapters.postgres.rollups.isolation import released, subject_of, summed
from actors.adapters.postgres.rollups.notes import note_minutes, notes_left, take_notes
from actors.adapters.postgres.rollups.sums import COLUMNS, NAMES, ONE, PARTS, VALUE
from actors.adapters.postgres.wire import rows
from actors.adapters.postgres.wire.plans import plan_each_time
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.ports.charts import Expired
from protocol.dead_letters import ROLLUPS
from protocol.records import Feed, Reading
from protocol.rest.charts import HOUR_US, MINUTE_US, Bucket
from protocol.rest.stats import Counts

# Late minutes per commit that the caller allows: as many as an import brings at once.
LATE_EACH = 20
_AGAIN = ", ".join(f"{name} = excluded.{name}" for name in NAMES.split(", "))
# $1 and $2 are feeds and their time units, numbered since 1970. All of them are between $3 and $4,
# which are known when a statement is planned, so that it touches no other week.
_TOUCHED = """
    SELECT t.feed_num, 'epoch'::timestamptz + t.n * interval '1 {unit}' AS ts
    FROM unnest($1::integer[], $2::integer[]) AS t (feed_num, n)
"""
# Each unit by itself (LATERAL with an aggregate): a join first would compare all readings of a feed
# with all of its minutes. Rows are updated, because that leaves the index as it is; those of units
# without readings go.
_SUM_FEEDS = f"""
WITH summed AS MATERIALIZED (SELECT t.feed_num, t.ts, s.* FROM ({{touched}}) t
    CROSS JOIN LATERAL (SELECT {PARTS} FROM ({{parts}}) p) s),
emptied AS (DELETE FROM feed_{{unit}}s r USING summed s WHERE r.feed_num = s.feed_num
    AND r.level = {{level}} AND r.ts = s.ts AND r.ts >= $3 AND r.ts < $4 AND s.count IS NULL)
INSERT INTO feed_{{unit}}s (feed_num, level, ts, {NAMES})
SELECT feed_num, {{level}}, ts, {COLUMNS} FROM summed WHERE count > 0
ON CONFLICT (feed_num, level, ts) DO UPDATE SET {_AGAIN}
"""
_OF_READINGS = f"""
    SELECT {ONE} FROM (SELECT {VALUE} AS v FROM feed_values f WHERE f.feed_num = t.feed_num
        AND f.ts >= t.ts AND f.ts < t.ts + interval '1 {{unit}}') f WHERE v IS NOT NULL
"""
_OF_MINUTES = f"""
    SELECT {NAMES} FROM feed_minutes r WHERE r.feed_num = t.feed_num AND r.level = {MINUTES}
        AND r.ts >= t.ts AND r.ts < t.ts + interval '1 hour'
        AND r.ts >= $3 AND r.ts < $4
"""
_SUM_USERS = f"""
WITH touched AS MATERIALIZED (SELECT DISTINCT f.user_id, t.ts FROM ({{touched}}) t
    JOIN feeds f ON f.num = t.feed_num),
summed AS MATERIALIZED (SELECT t.user_id, t.ts, s.* FROM touched t CROSS JOIN LATERAL (
    SELECT {PARTS} FROM feeds f JOIN feed_{{unit}}s r ON r.feed_num = f.num
    WHERE f.user_id = t.user_id AND r.level = {{level}} AND r.ts = t.ts
        AND r.ts >= $3 AND r.ts < $4) s),
emptied AS (DELETE FROM user_{{unit}}s u USING summed s WHERE u.user_id = s.user_id
    AND u.level = {{level}} AND u.ts = s.ts AND u.ts >= $3 AND u.ts < $4 AND s.count IS NULL)
INSERT INTO user_{{unit}}s (user_id, level, ts, {NAMES})
SELECT user_id, {{level}}, ts, {COLUMNS} FROM summed WHERE count > 0
ON CONFLICT (user_id, level, ts) DO UPDATE SET {_AGAIN}
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
        WHERE s.user_id = u.id AND o.due_at BETWEEN '0001-01-01' AND '9999-12-31') AS next_at
FROM (SELECT $1::text::uuid AS id) u
"""


async def roll_up(connection: Any, limit: int) -> int | None:
    async with connection.transaction():
        since_us = await connection.fetchval(stale.TURN)
        if since_us is None:
            return None
        await plan_each_time(connection)
        now_us = await connection.fetchval("SELECT now()")
        again, users = await released(connection, now_us)
        touched = await take_notes(connection, limit, limit * LATE_EACH, again)
        work = partial(_sum_touched, since_us)
        failed = await summed(connection, touched, work, now_us) if touched else []
        tried = [subject_of(*each) for each in again]
        await clear(connection, ROLLUPS, [each for each in tried if each not in failed])
    # Outside that transaction: a backlog of years must not delay a deletion, which waits for the
    # turn.
    await stale.sum_stale(connection, limit, users, now_us)
    return await notes_left(connection)


async def _sum_touched(since_us: int, connection: Any, touched: Sequence[tuple[int, int]]) -> None:
    """Sum up these minutes (feed, minute since 1970), their hours, and the hours of the feeds'
    users. Of minutes before `since_us`, only the hours, from the readings."""
    since = since_us // MINUTE_US
    minutes = [each for each in touched if each[1] >= since]
    expired = [each for each in touched if each[1] < since]
    await _sum(connection, MINUTES, _OF_READINGS, minutes)
    await _sum(connection, HOURS, _OF_MINUTES, _hours(minutes))
    await _sum(connection, HOURS, _OF_READINGS, _hours(expired))


def _hours(minutes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted({(feed, minute // 60) for feed, minute in minutes})


async def _sum(connection: Any, level: int, parts: str, touched: Sequence[tuple[int, int]]) -> None:
    if not touched:
        return
    unit, unit_us = ("minute", MINUTE_US) if level == MINUTES else ("hour", HOUR_US)
    which, times = _TOUCHED.format(unit=unit), [n for _, n in touched]
    between = min(times) * unit_us, (max(times) + 1) * unit_us
    for statement in (_SUM_FEEDS, _SUM_USERS):
        sql = statement.format(touched=which, level=level, unit=unit, parts=parts.format(unit=unit))
        await connection.execute(sql, *rows.columns(touched, 2), *between)


async def feed_bounds(connection: Any, feed_num: int) -> tuple[int, int] | None:
    row = await connection.fetchrow(
        "SELECT (SELECT min(ts) FROM feed_values WHERE feed_num = $1) AS first,"
        " (SELECT max(ts) FROM feed_values WHERE feed_num = $1) AS last",
        feed_num,
    )
    return None if row["first"] is None else (row["first"], row["last"])


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


async def add_history(connection: Any, feed: Feed, readings: Sequence[Reading]) -> int:
    async with connection.transaction():
        await note_minutes(connection, readings)
        return await insert_readings(connection, readings)


class ChartCalls(PooledCalls):
    """See `actors.ports.charts.ChartStore`."""

    async def feed_bounds(self, feed_num: int) -> tuple[int, int] | None:
        return await self._work(feed_bounds, feed_num)

    async def feed_buckets(
        self,
        feed_num: int,
        start_us: int,
        end_us: int,
        bucket_s: int,
        starts: Sequence[int] = (),
    ) -> list[Bucket]:
        asked = feed_num, start_us, end_us, bucket_s, starts
        return await self._work(chart_queries.feed_buckets, *asked)

    async def user_buckets(
        self,
        user_id: str,
        start_us: int,
        end_us: int,
        bucket_s: int,
        starts: Sequence[int] = (),
    ) -> list[Bucket]:
        asked = user_id, start_us, end_us, bucket_s, starts
        return await self._work(chart_queries.user_buckets, *asked)

    async def dashboard_counts(self, user_id: str, start_us: int, end_us: int) -> Counts:
        return await self._work(dashboard_counts, user_id, start_us, end_us)

    async def roll_up(self, limit: int) -> int | None:
        return await self._work(roll_up, limit)

    async def expire_minute_sums(self, until_us: int) -> None:
        await self._work(expiry.expire_minutes, until_us, within_s=expiry.WITHIN_S)

    async def last_values(self, user_id: str, feed_ids: Sequence[str]) -> list[Feed]:
        return await self._work(loading.last_values, user_id, feed_ids)

    async def add_history(self, feed: Feed, readings: Sequence[Reading]) -> int:
        return await self._work(add_history, feed, readings)

    async def delete_history(self, feed_num: int, start_us: int | None, end_us: int | None) -> int:
        work, within_s = history_deletion.delete_history, history_deletion.PURGE_WITHIN_S
        return await self._work(work, feed_num, start_us, end_us, within_s=within_s)

    async def expire_history(self, now_us: int, after: int = 0) -> Expired:
        work, within_s = history_deletion.expire_history, history_deletion.PURGE_WITHIN_S
        return await self._work(work, now_us, after, within_s=within_s)

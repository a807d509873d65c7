"""Deletes readings: a part of a feed's history, a feed with everything, readings beyond retention.

Whatever is deleted, the sums of its feed are corrected in the same transaction. Correcting the sums
of its user would take too long there. Their hours are marked as stale (`user_rollups_stale`), and
the sums of the feeds are used until `rollups.rolling` has computed them again.
"""

from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres.chart_pieces import HOURS, MINUTES
from actors.adapters.postgres.dead_letters import hold
from actors.adapters.postgres.rollups.sums import COLUMNS, NAMES, ONE, PARTS, VALUE
from actors.adapters.postgres.wire.isolation import ABOUT_ROWS
from actors.adapters.postgres.wire.plans import plan_each_time
from actors.ports.charts import Expired
from protocol.dead_letters import HISTORY
from protocol.records import RETAIN_DAYS_MAX
from protocol.rest.charts import HOUR_US, MINUTE_US
from protocol.times import SECOND_US

# A history may be long.
PURGE_WITHIN_S = 600.0
AT_ONCE = 10_000
# Readings beyond retention, in one call: how many feeds are checked, and how many portions deleted.
FEEDS_AT_ONCE = 1_000
PORTIONS_MAX = 20
PORTIONS_EACH = 5

# Returns since when there are sums of minutes.
_TURN = "SELECT minutes_since FROM rollup_turn FOR UPDATE"

_LAST_OF_PORTION = f"""
SELECT ts FROM feed_values WHERE feed_num = $1
    AND ts >= coalesce($2, '-infinity'::timestamptz)
    AND ts < coalesce($3, 'infinity'::timestamptz)
ORDER BY ts OFFSET {AT_ONCE - 1} LIMIT 1
"""
# Copies of retained messages bring nothing back (`ingest.copies`).
_NOTE_DELETED = """
INSERT INTO histories_deleted AS h (feed_num, until) SELECT num, $2 FROM feeds WHERE num = $1
ON CONFLICT (feed_num) DO UPDATE SET until = greatest(h.until, excluded.until)
"""
_DELETE = """
WITH deleted AS (DELETE FROM feed_values WHERE feed_num = $1
    AND ts >= coalesce($2, '-infinity'::timestamptz)
    AND ts < coalesce($3, 'infinity'::timestamptz) RETURNING ts)
SELECT count(*), min(ts) AS first, max(ts) AS last FROM deleted
"""

_FORGET = "DELETE FROM {sums} WHERE feed_num = $1 AND level = $2 AND ts >= $3 AND ts < $4"
_SUM = f"""
INSERT INTO {{sums}} (feed_num, level, ts, {NAMES})
SELECT $1, $2, ts, {COLUMNS} FROM (SELECT date_bin({{unit}}, p.at, 'epoch') AS ts, {PARTS}
    FROM ({{parts}}) p GROUP BY 1) g
"""
_OF_READINGS = (
    f"SELECT ts AS at, {ONE} FROM (SELECT ts, {VALUE} AS v FROM feed_values"
    " WHERE feed_num = $1 AND ts >= $3 AND ts < $4) f WHERE v IS NOT NULL"
)
_OF_MINUTES = (
    f"SELECT ts AS at, {NAMES} FROM feed_minutes"
    f" WHERE feed_num = $1 AND level = {MINUTES} AND ts >= $3 AND ts < $4"
)

# One row for everything that overlaps: hours are computed again once, however many feeds are
# concerned.
_NOTE_STALE = """
WITH mine AS (SELECT user_id FROM feeds WHERE num = $1), met AS (
    DELETE FROM user_rollups_stale s USING mine
    WHERE s.user_id = mine.user_id AND s.since <= $3 AND s.until >= $2 RETURNING s.since, s.until)
INSERT INTO user_rollups_stale (user_id, since, until)
SELECT user_id, least($2, (SELECT min(since) FROM met)), greatest($3, (SELECT max(until) FROM met))
FROM mine
"""

# A longer retention than anybody can set would give a time before all calendars, and fail for all
# feeds.
_EXPIRING = f"""
SELECT f.num, f.days, f.user_id::text FROM (
    SELECT num, user_id, least(retain_days, {RETAIN_DAYS_MAX}) AS days FROM feeds
    WHERE retain_days IS NOT NULL AND num > $1 ORDER BY num LIMIT $2) f
WHERE EXISTS (SELECT FROM feed_values v WHERE v.feed_num = f.num
    AND v.ts < date_bin('1 minute', $3::timestamptz - f.days * interval '1 day', 'epoch'))
ORDER BY f.num
"""
_EXPIRED = """
DELETE FROM dead_letters WHERE work = $1 AND NOT subject = ANY($4)
    AND CASE WHEN subject ~ '^[0-9]{1,10}$' THEN subject::bigint > $2
        AND ($3::bigint IS NULL OR subject::bigint <= $3) END
"""
_LOOKED_AT = """
SELECT num FROM feeds WHERE retain_days IS NOT NULL AND num > $1 ORDER BY num OFFSET $2 LIMIT 1
"""


async def delete_history(
    connection: Any, feed_num: int, start_us: int | None, end_us: int | None
) -> int:
    """Delete in portions, so that no writer waits for it; then correct the last value."""
    deleted = 0
    is_over = False
    while not is_over:
        many, is_over = await _delete_portion(connection, feed_num, start_us, end_us)
        deleted += many
    async with connection.transaction():
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


async def _delete_portion(
    connection: Any, feed_num: int, start_us: int | None, end_us: int | None
) -> tuple[int, bool]:
    """How many were deleted, and whether these were the last."""
    async with connection.transaction():
        await plan_each_time(connection)
        since_us = await connection.fetchval(_TURN)
        # By their times: in a partitioned table, rows have no address of their own.
        last_us = await connection.fetchval(_LAST_OF_PORTION, feed_num, start_us, end_us)
        until_us = end_us if last_us is None else last_us + 1
        row = await connection.fetchrow(_DELETE, feed_num, start_us, until_us)
        if row["count"]:
            await connection.execute(_NOTE_DELETED, feed_num, row["last"])
            await _sum_again(connection, feed_num, row["first"], row["last"], since_us)
        return row["count"], last_us is None


async def _sum_again(
    connection: Any, feed_num: int, first_us: int, last_us: int, since_us: int
) -> None:
    """Compute the sums again; the deleted readings were between these times, both included. Before
    `since_us` only hours have sums."""
    first, until = _around(first_us, last_us, MINUTE_US)
    first_hour, until_hour = _around(first_us, last_us, HOUR_US)
    for level, parts, begin_us, end_us in (
        (MINUTES, _OF_READINGS, max(first, since_us), until),
        (HOURS, _OF_READINGS, first_hour, min(until_hour, since_us)),
        (HOURS, _OF_MINUTES, max(first_hour, since_us), until_hour),
    ):
        if begin_us >= end_us:
            continue
        unit = "minute" if level == MINUTES else "hour"
        names = {"sums": f"feed_{unit}s", "unit": f"interval '1 {unit}'", "parts": parts}
        for statement in (_FORGET, _SUM):
            sql = statement.format(**names)
            await connection.execute(sql, feed_num, level, begin_us, end_us)
    await connection.execute(_NOTE_STALE, feed_num, first_hour, until_hour)


def _around(first_us: int, last_us: int, unit_us: int) -> tuple[int, int]:
    return first_us // unit_us * unit_us, last_us // unit_us * unit_us + unit_us


async def erase_feeds(connection: Any, nums: Sequence[int]) -> None:
    """Delete these feeds and everything of theirs, in the caller's transaction.

    Readings go first and take long. The rows of feeds, for which a writer may wait, and the sums,
    for which summing up waits, come at the end.
    """
    await plan_each_time(connection)
    await connection.execute("SET LOCAL statement_timeout = '10min'")
    for num in nums:
        await connection.execute("DELETE FROM feed_values WHERE feed_num = $1", num)
        await connection.execute("DELETE FROM message_ids WHERE feed_num = $1", num)
    await connection.fetchval(_TURN)
    for num in nums:
        row = await connection.fetchrow(
            "WITH deleted AS (DELETE FROM feed_hours WHERE feed_num = $1 RETURNING ts)"
            " SELECT min(ts) AS first, max(ts) AS last FROM deleted",
            num,
        )
        await connection.execute("DELETE FROM feed_minutes WHERE feed_num = $1", num)
        if row["first"] is not None:
            stale = _around(row["first"], row["last"], HOUR_US)
            await connection.execute(_NOTE_STALE, num, *stale)
        await connection.execute("DELETE FROM rollup_late WHERE feed_num = $1", num)
        await connection.execute("DELETE FROM feeds WHERE num = $1", num)
        await connection.execute("DELETE FROM feed_values WHERE feed_num = $1", num)


async def expire_history(connection: Any, now_us: int, after: int) -> Expired:
    """Start after the feed with this number. A feed with much to delete continues in the next
    round, and one whose readings cannot be deleted because of their content is put aside alone."""
    found = await connection.fetch(_EXPIRING, after, FEEDS_AT_ONCE, now_us)
    deleted, portions, is_left = 0, 0, False
    failed: list[str] = []
    last: int | None = None
    for row in found:
        until_us = now_us - row["days"] * 24 * 3600 * SECOND_US
        # Whole minutes, so that no minute is deleted in part.
        until_us -= until_us % MINUTE_US
        for _ in range(PORTIONS_EACH):
            portions += 1
            try:
                many, is_over = await _delete_portion(connection, row["num"], None, until_us)
            except ABOUT_ROWS as error:
                subject, whose = str(row["num"]), row["user_id"]
                await hold(connection, HISTORY, subject, error, now_us=now_us, user_id=whose)
                failed.append(subject)
                break
            deleted += many
            if is_over:
                break
        else:
            is_left = True
        if portions >= PORTIONS_MAX:
            last = row["num"]
            break
    else:
        last = await connection.fetchval(_LOOKED_AT, after, FEEDS_AT_ONCE - 1)
    await connection.execute(_EXPIRED, HISTORY, after, last, failed)
    return Expired(deleted=deleted, after=last, is_left=is_left)

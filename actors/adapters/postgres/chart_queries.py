"""Charts from the sums of minutes and hours, and from readings where the sums are behind.

The answer equals the readings at every moment. Readings are counted themselves from the first
minute on that a commit noted and that is not summed up yet. For earlier minutes that were noted
(`rollup_late`), the readings are added and their sums subtracted. Since their sums were computed,
readings were only added (deletions correct sums at once), so minimum and maximum stay right.
"""

from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres.rollups.sums import COLUMNS, NAMES, ONE, PARTS, VALUE
from actors.adapters.postgres.wire.plans import plan_each_time
from protocol.rest.charts import HOUR_US, MINUTE_US, Bucket, unit_of

READINGS, MINUTES, HOURS = 0, 1, 2
# Up to this many late minutes are read one by one; more are grouped into a thousand time spans.
LATE_MAX = 2_000
SPANS = 1_000

# $2, $3 and $4 are time spans, and the source of each.
_PIECES = "unnest($2::smallint[], $3::timestamptz[], $4::timestamptz[]) AS p (level, since, until)"
# Where the bucket of a time begins: at a multiple of its length since 1970, or at one of $9.
_AT = """
CASE WHEN cardinality($9::timestamptz[]) = 0 THEN date_bin(make_interval(secs => $5), ts, 'epoch')
    ELSE ($9::timestamptz[])[width_bucket(ts, $9::timestamptz[])] END
"""
_BUCKETS = (
    f"SELECT at, {COLUMNS} FROM (SELECT {_AT} AS at, {PARTS} FROM parts GROUP BY 1) g"
    " WHERE count > 0 ORDER BY at"
)


def _late(whose: str) -> str:
    """Late minutes between $6 and $7, grouped by $8 of them."""
    return f"""late AS MATERIALIZED (
    SELECT feed_num, 'epoch'::timestamptz + min(minute) * interval '1 minute' AS since,
        'epoch'::timestamptz + (max(minute) + 1) * interval '1 minute' AS until
    FROM rollup_late WHERE {whose} AND minute >= $6 AND minute < $7
    GROUP BY feed_num, minute / $8::integer)"""


_LATE_PARTS = f"""
    SELECT f.ts, {ONE} FROM late l CROSS JOIN LATERAL (
        SELECT ts, {VALUE} AS v FROM feed_values f WHERE f.feed_num = l.feed_num
            AND f.ts >= l.since AND f.ts < l.until OFFSET 0) f WHERE v IS NOT NULL
    UNION ALL
    SELECT r.ts, -r.count, -r.sum, r.mean, NULL, NULL FROM late l CROSS JOIN LATERAL (
        SELECT ts, {NAMES} FROM feed_rollups r WHERE r.feed_num = l.feed_num
            AND r.level = {MINUTES} AND r.ts >= l.since AND r.ts < l.until OFFSET 0) r
"""

FEED = f"""
WITH {_late("feed_num = $1")}, parts AS (
    SELECT r.* FROM {_PIECES} CROSS JOIN LATERAL (
        SELECT ts, {NAMES} FROM feed_rollups r WHERE r.feed_num = $1 AND r.level = p.level
            AND r.ts >= p.since AND r.ts < p.until OFFSET 0) r
    UNION ALL
    SELECT f.ts, {ONE} FROM {_PIECES} CROSS JOIN LATERAL (
        SELECT ts, {VALUE} AS v FROM feed_values f WHERE p.level = {READINGS}
            AND f.feed_num = $1 AND f.ts >= p.since AND f.ts < p.until OFFSET 0) f
        WHERE v IS NOT NULL
    UNION ALL {_LATE_PARTS}
) {_BUCKETS}
"""

# Where a deletion made a user's sums stale, the sums of the feeds are used instead.
USER = f"""
WITH {_late("user_id = $1::text::uuid")}, stale AS MATERIALIZED (
    SELECT since, until FROM user_rollups_stale WHERE user_id = $1::text::uuid
), parts AS (
    SELECT r.* FROM {_PIECES} CROSS JOIN LATERAL (
        SELECT ts, {NAMES} FROM user_rollups r WHERE r.user_id = $1::text::uuid
            AND r.level = p.level AND r.ts >= p.since AND r.ts < p.until
            AND NOT EXISTS (SELECT FROM stale s WHERE r.ts >= s.since AND r.ts < s.until)
        OFFSET 0) r
    UNION ALL
    SELECT r.* FROM {_PIECES} JOIN stale s ON s.since < p.until AND s.until > p.since
        JOIN feeds f ON f.user_id = $1::text::uuid CROSS JOIN LATERAL (
        SELECT ts, {NAMES} FROM feed_rollups r WHERE r.feed_num = f.num AND r.level = p.level
            AND r.ts >= greatest(p.since, s.since) AND r.ts < least(p.until, s.until) OFFSET 0) r
    UNION ALL
    SELECT v.ts, {ONE} FROM {_PIECES} JOIN feeds f ON f.user_id = $1::text::uuid
        AND p.level = {READINGS} CROSS JOIN LATERAL (
        SELECT ts, {VALUE} AS v FROM feed_values v WHERE v.feed_num = f.num
            AND v.ts >= p.since AND v.ts < p.until OFFSET 0) v WHERE v.v IS NOT NULL
    UNION ALL {_LATE_PARTS}
) {_BUCKETS}
"""

_BEHIND = """
SELECT (SELECT min(since) FROM rollup_log) AS fresh,
    (SELECT count(*) FROM (SELECT FROM rollup_late WHERE {whose} LIMIT $2) l) AS late
"""

Piece = tuple[int, int, int]  # source, since, until


def pieces_of(start_us: int, end_us: int, fresh_us: int | None, *, by_hours: bool) -> list[Piece]:
    """A time span, cut into parts that come from sums of hours, from sums of minutes, and from
    readings.

    Args:
        fresh_us: from this time on sums of minutes may be behind.
    """
    until_us = end_us if fresh_us is None else min(end_us, fresh_us)
    first, last = _up(start_us, MINUTE_US), until_us // MINUTE_US * MINUTE_US
    if first >= last:
        return [(READINGS, start_us, end_us)]
    since_hour, until_hour = _up(first, HOUR_US), last // HOUR_US * HOUR_US
    if not by_hours or since_hour >= until_hour:
        since_hour = until_hour = last
    found = [
        (READINGS, start_us, first),
        (MINUTES, first, since_hour),
        (HOURS, since_hour, until_hour),
        (MINUTES, until_hour, last),
        (READINGS, last, end_us),
    ]
    return [piece for piece in found if piece[1] < piece[2]]


def _up(us: int, unit_us: int) -> int:
    return -(-us // unit_us) * unit_us


async def feed_buckets(
    connection: Any,
    feed_num: int,
    start_us: int,
    end_us: int,
    bucket_s: int,
    starts: Sequence[int],
) -> list[Bucket]:
    unit_us = unit_of(bucket_s, starts)
    if not unit_us:
        pieces = [(READINGS, start_us, end_us)]
        return await _buckets(connection, FEED, feed_num, pieces, 0, bucket_s, starts)
    async with _snapshot(connection):
        await plan_each_time(connection)
        fresh_us, late = await _behind(connection, "feed_num = $1", feed_num)
        pieces = pieces_of(start_us, end_us, fresh_us, by_hours=unit_us == HOUR_US)
        return await _buckets(connection, FEED, feed_num, pieces, late, bucket_s, starts)


async def user_buckets(
    connection: Any,
    user_id: str,
    start_us: int,
    end_us: int,
    bucket_s: int,
    starts: Sequence[int],
) -> list[Bucket]:
    start_us, end_us = start_us // MINUTE_US * MINUTE_US, _up(end_us, MINUTE_US)
    async with _snapshot(connection):
        await plan_each_time(connection)
        fresh_us, late = await _behind(connection, "user_id = $1::text::uuid", user_id)
        by_hours = unit_of(bucket_s, starts) == HOUR_US
        pieces = pieces_of(start_us, end_us, fresh_us, by_hours=by_hours)
        return await _buckets(connection, USER, user_id, pieces, late, bucket_s, starts)


def _snapshot(connection: Any) -> Any:
    """What is behind, the sums and the readings must be read at one moment."""
    return connection.transaction(isolation="repeatable_read", readonly=True)


async def _behind(connection: Any, whose: str, who: int | str) -> tuple[int | None, int]:
    """From when on (µs) sums may be behind, and how many late minutes wait, `LATE_MAX` + 1 at
    most."""
    row = await connection.fetchrow(_BEHIND.format(whose=whose), who, LATE_MAX + 1)
    fresh = row["fresh"]
    return None if fresh is None else fresh * MINUTE_US, row["late"]


async def _buckets(
    connection: Any,
    query: str,
    who: int | str,
    pieces: Sequence[Piece],
    late: int,
    bucket_s: int,
    starts: Sequence[int],
) -> list[Bucket]:
    levels, since, until = ([piece[n] for piece in pieces] for n in range(3))
    summed = [piece for piece in pieces if late and piece[0] != READINGS]
    first = last = 0
    if summed:
        first, last = summed[0][1] // MINUTE_US, summed[-1][2] // MINUTE_US
    together = 1 if late <= LATE_MAX else (last - first) // SPANS + 1
    found = await connection.fetch(
        query, who, levels, since, until, float(bucket_s), first, last, together, list(starts)
    )
    return [
        Bucket(row["at"], row["count"], row["sum"], row["mean"], row["min"], row["max"])
        for row in found
    ]

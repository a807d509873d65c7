"""Charts from the sums of minutes and hours, and from readings where the sums are behind or
expired.

The answer equals the readings at every moment. Readings are counted themselves from the first
minute on that a commit noted and that is not summed up yet. For earlier minutes that were noted
(`rollup_late`), the readings are added and their sums subtracted; where minutes expired, the
readings and the sum of the hour. Since their sums were computed, readings were only added
(deletions correct sums at once), so minimum and maximum stay right.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from actors.adapters.postgres.chart_pieces import HOURS, MINUTES, READINGS, Piece, pieces_of, up
from actors.adapters.postgres.rollups.sums import COLUMNS, NAMES, ONE, PARTS, VALUE
from actors.adapters.postgres.wire.plans import plan_each_time
from protocol.rest.charts import HOUR_US, MINUTE_US, Bucket, ragged_hours, unit_of

# Up to this many late minutes are read one by one; more are grouped into a thousand time spans.
LATE_MAX = 2_000
SPANS = 1_000
_EPOCH = "'epoch'::timestamptz"
_MINUTE = "interval '1 minute'"

# $2, $3 and $4 are time spans, in order, and the source of each.
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
# Known when the query is planned, so that it touches no other week: from $11 to $12.
_WEEKS = "r.ts >= $11 AND r.ts < $12"


def _late(whose: str) -> str:
    """Late minutes between $6 and $7 in pieces that come from sums, grouped by $8 of them; before
    $10, where only hours have sums, by whole hours."""
    return f"""late AS MATERIALIZED (
    SELECT feed_num, by_hour,
        {_EPOCH} + min(minute) / length * length * {_MINUTE} AS since,
        {_EPOCH} + (max(minute) / length + 1) * length * {_MINUTE} AS until
    FROM (SELECT *, CASE WHEN by_hour THEN 60 ELSE 1 END AS length, minute / CASE WHEN by_hour
            THEN ($8::integer + 59) / 60 * 60 ELSE $8::integer END AS span
        FROM (SELECT feed_num, minute, {_EPOCH} + minute * {_MINUTE} < $10::timestamptz AS by_hour,
            width_bucket({_EPOCH} + minute * {_MINUTE}, $3::timestamptz[]) AS piece
            FROM rollup_late WHERE {whose} AND minute >= $6 AND minute < $7) l
        WHERE ($2::smallint[])[piece] <> {READINGS}) l
    GROUP BY feed_num, by_hour, length, piece, span)"""


_LATE_PARTS = f"""
    SELECT f.ts, {ONE} FROM late l CROSS JOIN LATERAL (
        SELECT ts, {VALUE} AS v FROM feed_values f WHERE f.feed_num = l.feed_num
            AND f.ts >= l.since AND f.ts < l.until OFFSET 0) f WHERE v IS NOT NULL
    UNION ALL
    SELECT r.ts, -r.count, -r.sum, r.mean, NULL, NULL FROM late l CROSS JOIN LATERAL (
        SELECT ts, {NAMES} FROM feed_minutes r WHERE NOT l.by_hour AND r.feed_num = l.feed_num
            AND r.level = {MINUTES} AND r.ts >= l.since AND r.ts < l.until AND {_WEEKS}
        UNION ALL
        SELECT ts, {NAMES} FROM feed_hours r WHERE l.by_hour AND r.feed_num = l.feed_num
            AND r.level = {HOURS} AND r.ts >= l.since AND r.ts < l.until OFFSET 0) r
"""


def _sums(table: str, whose: str, level: int, also: str = "true") -> str:
    return f"""
    SELECT r.* FROM {_PIECES} CROSS JOIN LATERAL (
        SELECT ts, {NAMES} FROM {table} r WHERE p.level = {level} AND {whose}
            AND r.level = {level} AND r.ts >= p.since AND r.ts < p.until AND {also} OFFSET 0) r
"""


FEED = f"""
WITH {_late("feed_num = $1")}, parts AS (
    {_sums("feed_minutes", "r.feed_num = $1", MINUTES, _WEEKS)}
    UNION ALL {_sums("feed_hours", "r.feed_num = $1", HOURS)}
    UNION ALL
    SELECT f.ts, {ONE} FROM {_PIECES} CROSS JOIN LATERAL (
        SELECT ts, {VALUE} AS v FROM feed_values f WHERE p.level = {READINGS}
            AND f.feed_num = $1 AND f.ts >= p.since AND f.ts < p.until OFFSET 0) f
        WHERE v IS NOT NULL
    UNION ALL {_LATE_PARTS}
) {_BUCKETS}
"""

# Where a deletion made a user's sums stale, the sums of the feeds are used instead.
_FRESH = "NOT EXISTS (SELECT FROM stale s WHERE r.ts >= s.since AND r.ts < s.until)"


def _of_feeds(table: str, level: int, also: str = "true") -> str:
    return f"""
    SELECT r.* FROM {_PIECES} JOIN stale s ON p.level = {level} AND s.since < p.until
        AND s.until > p.since JOIN feeds f ON f.user_id = $1::text::uuid CROSS JOIN LATERAL (
        SELECT ts, {NAMES} FROM {table} r WHERE r.feed_num = f.num AND r.level = {level}
            AND r.ts >= greatest(p.since, s.since) AND r.ts < least(p.until, s.until)
            AND {also} OFFSET 0) r
"""


USER = f"""
WITH {_late("user_id = $1::text::uuid")}, stale AS MATERIALIZED (
    SELECT since, until FROM user_rollups_stale WHERE user_id = $1::text::uuid
), parts AS (
    {_sums("user_minutes", "r.user_id = $1::text::uuid", MINUTES, f"{_WEEKS} AND {_FRESH}")}
    UNION ALL {_sums("user_hours", "r.user_id = $1::text::uuid", HOURS, _FRESH)}
    UNION ALL {_of_feeds("feed_minutes", MINUTES, _WEEKS)}
    UNION ALL {_of_feeds("feed_hours", HOURS)}
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
    (SELECT minutes_since FROM rollup_turn) AS since,
    (SELECT count(*) FROM (SELECT FROM rollup_late WHERE {whose} LIMIT $2) l) AS late
"""


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """What sums there are.

    Attributes:
        fresh_us: from this time on sums may be behind.
        since_us: before this time there are no sums of minutes.
        late: how many late minutes wait, `LATE_MAX` + 1 at most.
    """

    fresh_us: int | None
    since_us: int
    late: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The buckets that are asked for."""

    start_us: int
    end_us: int
    bucket_s: int
    starts: Sequence[int]

    def pieces(self, behind: Behind) -> list[Piece]:
        start_us, end_us = self.start_us, self.end_us
        ragged: list[int] | None = None
        if unit_of(self.bucket_s) == HOUR_US:
            ragged = ragged_hours(start_us, end_us, self.bucket_s, self.starts)
        return pieces_of(start_us, end_us, behind.fresh_us, behind.since_us, ragged)


async def feed_buckets(
    connection: Any,
    feed_num: int,
    start_us: int,
    end_us: int,
    bucket_s: int,
    starts: Sequence[int],
) -> list[Bucket]:
    asked = Asked(start_us=start_us, end_us=end_us, bucket_s=bucket_s, starts=starts)
    if not unit_of(bucket_s):
        pieces = [(READINGS, start_us, end_us)]
        behind = Behind(fresh_us=None, since_us=0, late=0)
        return await _buckets(connection, FEED, feed_num, asked, pieces, behind)
    async with _snapshot(connection):
        await plan_each_time(connection)
        behind = await _behind(connection, "feed_num = $1", feed_num)
        pieces = asked.pieces(behind)
        return await _buckets(connection, FEED, feed_num, asked, pieces, behind)


async def user_buckets(
    connection: Any,
    user_id: str,
    start_us: int,
    end_us: int,
    bucket_s: int,
    starts: Sequence[int],
) -> list[Bucket]:
    start_us, end_us = start_us // MINUTE_US * MINUTE_US, up(end_us, MINUTE_US)
    asked = Asked(start_us=start_us, end_us=end_us, bucket_s=bucket_s, starts=starts)
    async with _snapshot(connection):
        await plan_each_time(connection)
        behind = await _behind(connection, "user_id = $1::text::uuid", user_id)
        return await _buckets(connection, USER, user_id, asked, asked.pieces(behind), behind)


def _snapshot(connection: Any) -> Any:
    """What is behind, the sums and the readings must be read at one moment."""
    return connection.transaction(isolation="repeatable_read", readonly=True)


async def _behind(connection: Any, whose: str, who: int | str) -> Behind:
    row = await connection.fetchrow(_BEHIND.format(whose=whose), who, LATE_MAX + 1)
    fresh = row["fresh"]
    return Behind(
        fresh_us=None if fresh is None else fresh * MINUTE_US,
        since_us=row["since"],
        late=row["late"],
    )


async def _buckets(
    connection: Any,
    query: str,
    who: int | str,
    asked: Asked,
    pieces: Sequence[Piece],
    behind: Behind,
) -> list[Bucket]:
    summed = [piece for piece in pieces if behind.late and piece[0] != READINGS]
    first = last = 0
    if summed:
        first, last = summed[0][1] // MINUTE_US, summed[-1][2] // MINUTE_US
    together = 1 if behind.late <= LATE_MAX else (last - first) // SPANS + 1
    found = await connection.fetch(
        query,
        who,
        *([piece[n] for piece in pieces] for n in range(3)),
        float(asked.bucket_s),
        first,
        last,
        together,
        list(asked.starts),
        behind.since_us,
        max(asked.start_us, behind.since_us),
        asked.end_us,
    )
    return [
        Bucket(row["at"], row["count"], row["sum"], row["mean"], row["min"], row["max"])
        for row in found
    ]

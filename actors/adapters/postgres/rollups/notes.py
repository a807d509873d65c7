"""Which minutes of which feeds were written to, and are not summed up yet.

A commit notes them in its own transaction, so they are known as soon as its readings are visible.
Minutes around now go to `rollup_log`, one row per commit; charts compute everything since the first
of these minutes from the readings. Earlier minutes are rows of `rollup_late`, where a chart finds
them by its feed, and a user's totals by the user.
"""

from collections.abc import Sequence
from typing import Any

import structlog

from actors.adapters.postgres.wire.isolation import MAY_BE_ROWS, always, halves_apart
from actors.adapters.postgres.wire.rows import columns
from protocol.errors import in_words
from protocol.records import Reading
from protocol.rest.charts import minutes_of
from protocol.times import AHEAD_US

log = structlog.get_logger("roost.store")

# Minutes that are older than this are late.
FRESH_MINUTES = 2

NOTED = 3  # parameters


def noting(first: int) -> str:
    """Common table expressions that follow one named `claimed`, which has a row if the minutes are
    to be noted. Their parameters are `noted`, from number `first` on. Most commits have no late
    minute; their arrays are stored as they are."""
    feeds, minutes, since = f"${first}", f"${first + 1}", f"${first + 2}"
    return f"""
clock AS MATERIALIZED (
    SELECT floor(extract(epoch FROM now()) / 60)::integer - {FRESH_MINUTES} AS fresh FROM claimed
), whole AS (
    INSERT INTO rollup_log (since, feeds, minutes)
    SELECT {since}, {feeds}, {minutes} FROM clock WHERE {since} >= fresh
), pairs AS MATERIALIZED (
    SELECT p.* FROM clock c CROSS JOIN LATERAL (
        SELECT p.feed_num, p.minute, p.minute >= c.fresh AS is_fresh
        FROM unnest({feeds}::integer[], {minutes}::integer[]) AS p (feed_num, minute)
        OFFSET 0) p
    WHERE {since}::integer < c.fresh
), fresh AS (
    INSERT INTO rollup_log (since, feeds, minutes)
    SELECT min(minute), array_agg(feed_num), array_agg(minute) FROM pairs WHERE is_fresh
    HAVING count(*) > 0
), late AS (
    INSERT INTO rollup_late (user_id, feed_num, minute)
    SELECT f.user_id, p.feed_num, p.minute FROM pairs p JOIN feeds f ON f.num = p.feed_num
    WHERE NOT p.is_fresh
)"""


_NOTE = f"WITH claimed AS (SELECT), {noting(1)} SELECT FROM claimed"

_TAKE = """
WITH log AS (
    DELETE FROM rollup_log WHERE num IN (SELECT num FROM rollup_log ORDER BY num LIMIT $1)
    RETURNING feeds, minutes
), late AS (
    DELETE FROM rollup_late WHERE num IN (
        SELECT num FROM rollup_late WHERE NOT held ORDER BY num LIMIT $2)
    RETURNING feed_num, minute
), taken AS (
    SELECT t.feed_num, t.minute FROM log, unnest(log.feeds, log.minutes) AS t (feed_num, minute)
    UNION SELECT feed_num, minute FROM late
    UNION SELECT * FROM unnest($3::integer[], $4::integer[])
)
SELECT t.feed_num, t.minute FROM taken t JOIN feeds f ON f.num = t.feed_num
WHERE t.minute IS NOT NULL ORDER BY 1, 2
"""

# Twice as far ahead of the commit as a reading may be, because the clocks of two machines differ.
_RESTORE = f"""
UPDATE rollup_log SET (feeds, minutes) = (
    SELECT coalesce(array_agg(m.feed_num), '{{}}'), coalesce(array_agg(m.minute), '{{}}')
    FROM feeds f CROSS JOIN LATERAL (
        SELECT DISTINCT v.feed_num, floor(extract(epoch FROM v.ts) / 60)::integer AS minute
        FROM feed_values v WHERE v.feed_num = f.num
        AND v.ts >= 'epoch'::timestamptz + since * interval '1 minute'
        AND v.ts <= at + interval '{2 * AHEAD_US} microseconds' OFFSET 0) m)
WHERE num = $1
"""

_LEFT = """
SELECT (SELECT coalesce(max(num) - min(num) + 1, 0) FROM rollup_log)
    + (SELECT count(*) FROM (SELECT FROM rollup_late WHERE NOT held LIMIT 1) l)
    + (SELECT count(*) FROM (SELECT FROM user_rollups_stale WHERE NOT held LIMIT 1) s)
"""


def noted(touched: Sequence[tuple[int, int]]) -> tuple[list[int], list[int], int]:
    """Feeds, their minutes, and the first of these minutes (0 if there is none)."""
    feeds, minutes = columns(touched, 2)
    return feeds, minutes, min(minutes, default=0)


async def note_minutes(connection: Any, readings: Sequence[Reading]) -> None:
    """Note that these minutes must be summed up again."""
    touched = minutes_of(readings)
    if touched:
        await connection.execute(_NOTE, *noted(touched))


async def take_notes(
    connection: Any, commits: int, late: int, again: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """(feed, minute) of at most so many notes of each kind, and of those that are retried, for
    feeds that still exist. The notes are deleted with this transaction."""
    asked = commits, late, *columns(again, 2)
    try:
        async with connection.transaction():  # a savepoint
            found = await connection.fetch(_TAKE, *asked)
    except MAY_BE_ROWS:
        await _restore(connection, commits)
        found = await connection.fetch(_TAKE, *asked)
    return [tuple(row) for row in found]


async def _restore(connection: Any, commits: int) -> None:
    """For notes that cannot be read, note every minute that they may have named."""
    keys = await connection.fetch("SELECT num FROM rollup_log ORDER BY num LIMIT $1", commits)

    async def read(nums: Sequence[int]) -> list[Any]:
        found: list[Any] = await connection.fetch(
            "SELECT feeds, minutes FROM rollup_log WHERE num = ANY($1::bigint[])", list(nums)
        )
        return found

    async def aside(num: int, error: Exception) -> None:
        log.warning("minutes are found again among the readings", error=in_words(error))
        await connection.execute(_RESTORE, num)

    await halves_apart(connection, [key["num"] for key in keys], read, aside, always)


async def notes_left(connection: Any) -> int:
    """About how much is still to be summed up; 0 for nothing."""
    left: int = await connection.fetchval(_LEFT)
    return left

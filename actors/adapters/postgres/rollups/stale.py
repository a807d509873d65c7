"""Sums of users that deletions made stale, computed again from those of their feeds.

A backlog may be years of a large service. It is computed in portions, the newest first, each in a
transaction of its own: finished portions stay finished, and nobody waits for more than one of them.
Until a portion is computed, the sums of the feeds are used instead (`chart_queries`).
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres.chart_queries import HOURS, MINUTES
from actors.adapters.postgres.dead_letters import clear
from actors.adapters.postgres.rollups.isolation import hold_user, subject_of_user, tried
from actors.adapters.postgres.rollups.sums import COLUMNS, NAMES, PARTS
from actors.adapters.postgres.wire.plans import plan_each_time
from protocol.dead_letters import ROLLUPS

TURN = "SELECT true FROM rollup_turn FOR UPDATE SKIP LOCKED"

# Rows of feeds' sums in a portion: per commit that the caller allows (`actors.due.rollups` allows
# fewer after a turn that was slow or failed), and at most; but never less than one minute of all
# feeds. This takes 40 to 90 ms (a hundred feeds, two shared cores); a million rows took 2.3 s.
ROWS_EACH = 20
ROWS_MAX = 20_000
# After this time no further portion is begun in this turn.
WITHIN_S = 0.25

# A user with stale hours still has rows, because a deletion removes feeds' sums and leaves those of
# the user. If a portion ends within an hour, the sum of that hour stays stale with the rest.
_NEXT = f"""
SELECT s.num, s.user_id, s.since, s.until, coalesce((
    SELECT u.ts FROM user_rollups u WHERE u.user_id = s.user_id AND u.level = {MINUTES}
        AND u.ts >= s.since AND u.ts < s.until ORDER BY u.ts DESC
    OFFSET greatest(1, $1 / (SELECT count(*) + 1 FROM feeds f WHERE f.user_id = s.user_id)) - 1
    LIMIT 1), s.since) AS begin
FROM (SELECT * FROM user_rollups_stale WHERE NOT held ORDER BY num LIMIT 1) s
"""
_DONE = """
SELECT i.user_id FROM unnest($1::text[]) AS i (user_id)
WHERE NOT EXISTS (SELECT FROM user_rollups_stale s WHERE s.user_id = i.user_id::uuid)
"""
_FORGET = "DELETE FROM user_rollups WHERE user_id = $1 AND ts >= $2 AND ts < $3"
_SUM = f"""
INSERT INTO user_rollups (user_id, level, ts, {NAMES})
SELECT $1, level, ts, {COLUMNS} FROM (SELECT level, ts, {PARTS}
    FROM feeds f CROSS JOIN (VALUES ({MINUTES}), ({HOURS})) l (of) CROSS JOIN LATERAL (
        SELECT level, ts, {NAMES} FROM feed_rollups r WHERE r.feed_num = f.num
            AND r.level = l.of AND r.ts >= $2 AND r.ts < $3 OFFSET 0) r
    WHERE f.user_id = $1 GROUP BY level, ts) g
"""


async def sum_stale(connection: Any, limit: int, again: Sequence[str], now_us: int) -> None:
    """Compute some portions, each in its own transaction.

    Args:
        again: users that were put aside and are retried; a user's letter is deleted when nothing of
        theirs is stale any more, so that pauses grow while the same portion fails.
    """
    clock = asyncio.get_running_loop().time
    until_s = clock() + WITHIN_S
    while await _portion(connection, min(ROWS_MAX, limit * ROWS_EACH), now_us):
        if clock() >= until_s:
            break
    if again:
        done = await connection.fetch(_DONE, again)
        await clear(connection, ROLLUPS, [subject_of_user(row["user_id"]) for row in done])


async def _portion(connection: Any, rows: int, now_us: int) -> bool:
    """Return False if nothing was left, or another process has the turn."""
    async with connection.transaction():
        if not await connection.fetchval(TURN):
            return False
        await plan_each_time(connection)
        row = await connection.fetchrow(_NEXT, rows)
        if row is None:
            return False
        error = await tried(connection, _sum, row)
        if error is not None:
            await hold_user(connection, str(row["user_id"]), error, now_us)
        return True


async def _sum(connection: Any, row: Any) -> None:
    """From `begin` to `until`; the rest, from `since` on, stays stale."""
    part = row["user_id"], row["begin"], row["until"]
    await connection.execute(_FORGET, *part)
    await connection.execute(_SUM, *part)
    if row["begin"] > row["since"]:
        await connection.execute(
            "UPDATE user_rollups_stale SET until = $2 WHERE num = $1", row["num"], row["begin"]
        )
    else:
        await connection.execute("DELETE FROM user_rollups_stale WHERE num = $1", row["num"])

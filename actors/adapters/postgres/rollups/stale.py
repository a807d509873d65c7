"""Sums of users that deletions made stale, computed again from those of their feeds.

A backlog may be years of a large service. It is computed in portions, the newest first, each in a
transaction of its own: finished portions stay finished, and nobody waits for more than one of them.
Until a portion is computed, the sums of the feeds are used instead (`chart_queries`).
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres.chart_pieces import HOURS, MINUTES
from actors.adapters.postgres.dead_letters import clear
from actors.adapters.postgres.rollups.isolation import hold_user, subject_of_user, tried
from actors.adapters.postgres.rollups.sums import COLUMNS, NAMES, PARTS
from actors.adapters.postgres.wire.plans import plan_each_time
from protocol.dead_letters import ROLLUPS

# Returns since when there are sums of minutes.
TURN = "SELECT minutes_since FROM rollup_turn FOR UPDATE SKIP LOCKED"

# Rows of feeds' sums in a portion: per commit that the caller allows (`actors.due.rollups` allows
# fewer after a turn that was slow or failed), and at most; but never less than one minute of all
# feeds. This takes 40 to 90 ms (a hundred feeds, two shared cores); a million rows took 2.3 s.
ROWS_EACH = 20
ROWS_MAX = 20_000
# After this time no further portion is begun in this turn.
WITHIN_S = 0.25

_NEXT = """
SELECT s.num, s.user_id, s.since, s.until, (SELECT count(*) FROM feeds f
    WHERE f.user_id = s.user_id) AS feeds
FROM (SELECT * FROM user_rollups_stale WHERE NOT held ORDER BY num LIMIT 1) s
"""
# A user with stale hours still has rows, because a deletion removes feeds' sums and leaves those of
# the user. If a portion ends within an hour, the sum of that hour stays stale with the rest.
_BEGIN = """
SELECT ts FROM {sums} WHERE user_id = $1 AND level = {level} AND ts >= $2 AND ts < $3
ORDER BY ts DESC OFFSET $4 LIMIT 1
"""
_DONE = """
SELECT i.user_id FROM unnest($1::text[]) AS i (user_id)
WHERE NOT EXISTS (SELECT FROM user_rollups_stale s WHERE s.user_id = i.user_id::uuid)
"""
_FORGET = "DELETE FROM {sums} WHERE user_id = $1 AND level = {level} AND ts >= $2 AND ts < $3"
_SUM = f"""
INSERT INTO {{sums}} (user_id, level, ts, {NAMES})
SELECT $1, {{level}}, ts, {COLUMNS} FROM (SELECT ts, {PARTS}
    FROM feeds f CROSS JOIN LATERAL (
        SELECT ts, {NAMES} FROM {{parts}} r WHERE r.feed_num = f.num
            AND r.level = {{level}} AND r.ts >= $2 AND r.ts < $3 OFFSET 0) r
    WHERE f.user_id = $1 GROUP BY ts) g
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
        since_us = await connection.fetchval(TURN)
        if since_us is None:
            return False
        await plan_each_time(connection)
        row = await connection.fetchrow(_NEXT)
        if row is None:
            return False
        error = await tried(connection, _sum, row, rows, since_us)
        if error is not None:
            await hold_user(connection, str(row["user_id"]), error, now_us)
        return True


async def _begin(connection: Any, row: Any, rows: int, since_us: int) -> int:
    """Where a portion of so many rows begins, which ends with what is stale. Before `since_us`
    there are only hours."""
    level, first_us = MINUTES, max(row["since"], since_us)
    if row["until"] <= since_us:
        level, first_us = HOURS, row["since"]
    sql = _BEGIN.format(sums="user_minutes" if level == MINUTES else "user_hours", level=level)
    units = max(1, rows // (row["feeds"] + 1))
    found: int | None = await connection.fetchval(
        sql, row["user_id"], first_us, row["until"], units - 1
    )
    return first_us if found is None else found


async def _sum(connection: Any, row: Any, rows: int, since_us: int) -> None:
    """From `begin` to `until`; the rest, from `since` on, stays stale."""
    begin_us, until_us = await _begin(connection, row, rows, since_us), row["until"]
    for unit, level, first_us in (
        ("minutes", MINUTES, max(begin_us, since_us)),
        ("hours", HOURS, begin_us),
    ):
        names = {"sums": f"user_{unit}", "parts": f"feed_{unit}", "level": level}
        for statement in (_FORGET, _SUM):
            sql = statement.format(**names)
            await connection.execute(sql, row["user_id"], first_us, until_us)
    if begin_us > row["since"]:
        await connection.execute(
            "UPDATE user_rollups_stale SET until = $2 WHERE num = $1", row["num"], begin_us
        )
    else:
        await connection.execute("DELETE FROM user_rollups_stale WHERE num = $1", row["num"])

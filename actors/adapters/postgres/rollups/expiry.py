"""Sums of minutes expire: only those since `rollup_turn.minutes_since` are used.

That time moves first. What is before it is dropped at a later call, when no chart can still be
reading it: whole weeks, and in portions what no week has. Charts of earlier times are made of hours
and readings, and hours to which readings are added late are summed up from the readings.
"""

from typing import Any

from actors.adapters.postgres.wire.partitions import step
from protocol.rest.charts import HOUR_US

# A chart that began before the time moved has ended by then (`wire.connections.SETTINGS`).
GRACE = "5 minutes"
# Weeks are dropped at once; rows of the default partition may be many.
WITHIN_S = 600.0
ROWS_AT_ONCE = 10_000

_TURN = "SELECT true FROM rollup_turn FOR UPDATE"
_MOVE = "UPDATE rollup_turn SET minutes_since = $1, moved_at = now() WHERE minutes_since < $1"
_UNUSED = """
SELECT minutes_since FROM rollup_turn WHERE moved_at <= now() - interval '{grace}'
"""
# `…_YYYY_MM_DD` has the week that begins then, `…_before_YYYY_MM_DD` all times before.
_EXPIRED = """
SELECT i.inhparent::regclass::text AS parent, i.inhrelid::regclass::text AS name
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent IN ('feed_minutes'::regclass, 'user_minutes'::regclass)
    AND c.relname ~ '_\\d{4}_\\d\\d_\\d\\d$'
    AND to_date(right(c.relname, 10), 'YYYY_MM_DD')
        + CASE WHEN c.relname ~ '_before_' THEN 0 ELSE 7 END <= $1::timestamptz
ORDER BY 2
"""


async def expire_minutes(connection: Any, until_us: int) -> None:
    """Not inside a transaction.

    Raises:
        IN_USE: somebody uses what would have to be locked.
    """
    unused_us = await connection.fetchval(_UNUSED.format(grace=GRACE))
    if unused_us is not None:
        await _drop(connection, unused_us)
    await connection.execute(_MOVE, until_us // HOUR_US * HOUR_US)


async def _drop(connection: Any, until_us: int) -> None:
    for row in await connection.fetch(_EXPIRED, until_us):
        async with step(connection):
            # Whoever sums up or deletes comes before or after; charts wait for a moment.
            await connection.fetchval(_TURN)
            await connection.execute(f"ALTER TABLE {row['parent']} DETACH PARTITION {row['name']}")
            await connection.execute(f"DROP TABLE {row['name']}")
    for table in ("feed_minutes_default", "user_minutes_default"):
        status = ""
        while status != "DELETE 0":
            status = await connection.execute(
                f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table}"
                f" WHERE ts < $1 LIMIT {ROWS_AT_ONCE}))",
                until_us,
            )

"""What a migration needs that takes long: done before it, while others use the tables.

Migration 0028 makes the sums so far the first partition of the sums of minutes. PostgreSQL looks
through a table that is attached, and nobody can use it meanwhile, unless a constraint tells it that
all of its rows belong there.
"""

from typing import Any

from actors.adapters.postgres.wire.partitions import MONDAY, promise

FORMER_SUMS = ("feed_rollups", "user_rollups")

# A Monday that is at least a week ahead: until then the former program may go on summing up.
_UNTIL = f"""
SELECT to_char(until, 'YYYY_MM_DD') AS name, until::text AS until FROM (
    SELECT date_bin('7 days', greatest(now(), max(ts)), {MONDAY}) + interval '14 days' AS until
    FROM {{table}}) m WHERE EXISTS (SELECT FROM {{table}})
"""


async def prepare(connection: Any) -> None:
    """Not inside a transaction; may be repeated.

    Raises:
        IN_USE: somebody uses what would have to be locked.
    """
    for table in FORMER_SUMS:
        if await connection.fetchval("SELECT to_regclass($1) IS NULL", table):
            continue
        async with connection.transaction():
            await connection.execute("SET LOCAL statement_timeout = 0")
            row = await connection.fetchrow(_UNTIL.format(table=table))
        if row is not None:
            await promise(connection, table, f"before_{row['name']}", f"ts < '{row['until']}'")

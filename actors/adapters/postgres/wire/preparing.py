"""What a migration needs that takes long: done before it, while others use the tables.

Migration 0028 makes the sums so far the first partition of the sums of minutes. PostgreSQL looks
through a table that is attached, and nobody can use it meanwhile, unless a constraint tells it that
all of its rows belong there.
"""

from typing import Any

from actors.adapters.postgres.wire.partitions import MONDAY, promise, step

FORMER_SUMS = ("feed_rollups", "user_rollups")

# A Monday that is at least a week ahead: until then the former program may go on summing up.
_UNTIL = f"""
SELECT to_char(until, 'YYYY_MM_DD') AS name, until::text AS until FROM (
    SELECT date_bin('7 days', greatest(now(), max(ts)), {MONDAY}) + interval '14 days' AS until
    FROM {{table}}) m WHERE EXISTS (SELECT FROM {{table}})
"""
_EARLIER = r"""
SELECT conname FROM pg_constraint WHERE conrelid = $1::text::regclass AND conname <> $2
    AND conname ~ '^before_\d{4}_\d\d_\d\d$'
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
            name = f"before_{row['name']}"
            await _take_back(connection, table, name)
            await promise(connection, table, name, f"ts < '{row['until']}'")


async def _take_back(connection: Any, table: str, but: str) -> None:
    """Promises of earlier tries, whose Mondays come earlier: each refuses rows from then on."""
    for row in await connection.fetch(_EARLIER, table, but):
        async with step(connection):
            await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {row['conname']}")

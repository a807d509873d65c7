"""Monthly partitions of readings, made months ahead without holding anybody up.

`CREATE TABLE … PARTITION OF` locks all readings against everybody, and waits for it behind whoever
reads, with all others behind itself. So a month is made beside, and then attached: that locks the
default partition alone, which holds what lies outside of all months, and nobody waits longer for it
than `LOCK_WAIT`. A try that comes to nothing is repeated with the next housekeeping.
"""

from typing import Any

import msgspec

MONTHS_BACK, MONTHS_AHEAD = 12, 3
LOCK = 0x526F_6F73_75
LOCK_WAIT = "1s"

# A month that has rows in the default partition already is left there: moving them would lock the
# writer out, and they are found all the same.
_MISSING = """
SELECT 'feed_values_' || to_char(m, 'YYYY_MM') AS name, m::text AS since,
    (m + interval '1 month')::text AS until
FROM generate_series(date_trunc('month', now()) - make_interval(months => $1),
    date_trunc('month', now()) + make_interval(months => $2), '1 month') AS m
WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'feed_values'::regclass
        AND inhrelid = to_regclass('feed_values_' || to_char(m, 'YYYY_MM')))
    AND NOT EXISTS (SELECT FROM feed_values_default
        WHERE ts >= m AND ts < m + interval '1 month')
"""


class Month(msgspec.Struct, frozen=True):
    """A partition: its table, and its times as PostgreSQL writes them."""

    name: str
    since: str
    until: str


async def make_partitions(connection: Any) -> None:
    """Make those around now that are missing. Not inside a transaction.

    Raises:
        asyncpg.LockNotAvailableError: somebody reads, or writes, what would have to be locked.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        return  # another process makes them
    try:
        for row in await connection.fetch(_MISSING, MONTHS_BACK, MONTHS_AHEAD):
            await _make(connection, Month(**row))
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)  # noqa: ASYNC102 (asyncio)


async def _make(connection: Any, month: Month) -> None:
    await connection.execute(
        f"CREATE TABLE IF NOT EXISTS {month.name} (LIKE feed_values INCLUDING ALL)"
    )
    elsewhere = f"not_{month.name}"
    has_rows = await connection.fetchval("SELECT EXISTS (SELECT FROM feed_values_default)")
    if has_rows:
        await _promise_nothing_there(connection, month, elsewhere)
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
        await connection.execute(
            f"ALTER TABLE feed_values ATTACH PARTITION {month.name}"
            f" FOR VALUES FROM ('{month.since}') TO ('{month.until}')"
        )
        if has_rows:  # the partition's bounds say it from now on
            await connection.execute(f"ALTER TABLE feed_values_default DROP CONSTRAINT {elsewhere}")


async def _promise_nothing_there(connection: Any, month: Month, name: str) -> None:
    """The default partition is looked through while others work with it, and not while it is
    locked, because of this constraint."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
        await connection.execute(
            f"ALTER TABLE feed_values_default DROP CONSTRAINT IF EXISTS {name}, ADD CONSTRAINT"
            f" {name} CHECK (ts < '{month.since}' OR ts >= '{month.until}') NOT VALID"
        )
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute(f"ALTER TABLE feed_values_default VALIDATE CONSTRAINT {name}")

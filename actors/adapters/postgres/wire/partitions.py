"""Monthly partitions of readings, created months ahead without delaying anybody.

`CREATE TABLE … PARTITION OF` needs a lock that excludes all other use of readings. It waits for
running queries, and all others wait behind it. So a month is created separately and then attached:
that locks only the default partition, which has the readings outside of all months. Nobody waits
longer for a try than `WITHIN`; one that fails is repeated with the next housekeeping.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

MONTHS_BACK, MONTHS_AHEAD = 12, 3
LOCK = 0x526F_6F73_75
WITHIN = "1s"

# The error of a try that would have delayed others.
IN_USE = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)

# A month that already has rows in the default partition stays there: moving them would lock out the
# writer, and they are found nevertheless.
_MISSING = """
SELECT 'feed_values_' || to_char(m, 'YYYY_MM') AS name, m::text AS since,
    (m + interval '1 month')::text AS until, m > now() AS is_ahead
FROM generate_series(date_trunc('month', now()) - make_interval(months => $1),
    date_trunc('month', now()) + make_interval(months => $2), '1 month') AS m
WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'feed_values'::regclass
        AND inhrelid = to_regclass('feed_values_' || to_char(m, 'YYYY_MM')))
    AND NOT EXISTS (SELECT FROM feed_values_default
        WHERE ts >= m AND ts < m + interval '1 month')
"""

_ATTACH = """
ALTER TABLE feed_values ATTACH PARTITION {name} FOR VALUES FROM ('{since}') TO ('{until}')
"""


class Month(msgspec.Struct, frozen=True):
    """A partition: its table, its times as PostgreSQL writes them, and whether it is in the
    future."""

    name: str
    since: str
    until: str
    is_ahead: bool

    @property
    def elsewhere(self) -> str:
        """A constraint of the default partition: it has no reading of this month."""
        return f"not_{self.name}"


async def make_partitions(connection: Any) -> None:
    """Create the missing ones around now. Not inside a transaction.

    Raises:
        IN_USE: somebody uses what would have to be locked.
    """
    for row in await connection.fetch(_MISSING, MONTHS_BACK, MONTHS_AHEAD):
        await _make(connection, Month(**row))


async def _make(connection: Any, month: Month) -> None:
    async with _step(connection):
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {month.name} (LIKE feed_values INCLUDING ALL)"
        )
    if month.is_ahead:
        await _promise_nothing_there(connection, month)
    async with _step(connection):
        values = {"name": month.name, "since": month.since, "until": month.until}
        await connection.execute(_ATTACH.format(**values))
        # The bounds of the partition guarantee it from now on.
        await connection.execute(
            f"ALTER TABLE feed_values_default DROP CONSTRAINT IF EXISTS {month.elsewhere}"
        )


async def _promise_nothing_there(connection: Any, month: Month) -> None:
    """Because of this constraint, the default partition is scanned while others use it, and not
    while it is locked. Only for a future month: readings of the present would be refused if the
    attempt failed halfway."""
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM feed_values_default)"):
        return
    name = month.elsewhere
    async with _step(connection):
        await connection.execute(
            f"ALTER TABLE feed_values_default DROP CONSTRAINT IF EXISTS {name}, ADD CONSTRAINT"
            f" {name} CHECK (ts < '{month.since}' OR ts >= '{month.until}') NOT VALID"
        )
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute(f"ALTER TABLE feed_values_default VALIDATE CONSTRAINT {name}")


@asynccontextmanager
async def _step(connection: Any) -> AsyncIterator[None]:
    """A transaction, one at a time among all processes, that waits and works for a second at
    most."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{WITHIN}'")
        await connection.execute(f"SET LOCAL statement_timeout = '{WITHIN}'")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        yield

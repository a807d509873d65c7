"""Monthly partitions of readings, made months ahead without holding anybody up.

`CREATE TABLE … PARTITION OF` locks all readings against everybody, and waits for it behind whoever
reads, with all others behind itself. So a month is made beside, and then attached: that locks the
default partition alone, which holds what lies outside of all months. Nobody waits longer for a try
than `WITHIN`; one that comes to nothing is repeated with the next housekeeping.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

MONTHS_BACK, MONTHS_AHEAD = 12, 3
LOCK = 0x526F_6F73_75
WITHIN = "1s"

# What a try ends with that would have held others up.
IN_USE = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)

# A month that has rows in the default partition already is left there: moving them would lock the
# writer out, and they are found all the same.
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
    """A partition: its table, its times as PostgreSQL writes them, and whether it is to come."""

    name: str
    since: str
    until: str
    is_ahead: bool

    @property
    def elsewhere(self) -> str:
        """A constraint of the default partition: nothing of this month is there."""
        return f"not_{self.name}"


async def make_partitions(connection: Any) -> None:
    """Make those around now that are missing. Not inside a transaction.

    Raises:
        IN_USE: somebody works with what would have to be locked.
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
        # The partition's bounds say it from now on.
        await connection.execute(
            f"ALTER TABLE feed_values_default DROP CONSTRAINT IF EXISTS {month.elsewhere}"
        )


async def _promise_nothing_there(connection: Any, month: Month) -> None:
    """The default partition is looked through while others work with it, and not while it is
    locked, because of this constraint. Only of a month that is to come: what is measured now would
    be refused, if nothing came of the try."""
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
    """A transaction, one of all processes at a time, that waits and works a second at most."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{WITHIN}'")
        await connection.execute(f"SET LOCAL statement_timeout = '{WITHIN}'")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        yield

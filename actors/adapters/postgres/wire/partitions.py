"""Partitions by time, created ahead without delaying anybody: months of readings, weeks of sums of
minutes.

`CREATE TABLE … PARTITION OF` needs a lock that excludes all other use of the table. It waits for
running queries, and all others wait behind it. So a period is created separately and then attached:
that locks only the default partition, which has the rows outside of all periods. Nobody waits
longer for a try than `WITHIN`; one that fails is repeated with the next housekeeping.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

LOCK = 0x526F_6F73_75
WITHIN = "1s"

# The error of a try that would have delayed others.
IN_USE = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)

# Weeks begin on Mondays.
MONDAY = "timestamptz '2001-01-01 00:00+00'"


class Partitioned(msgspec.Struct, frozen=True, kw_only=True):
    """A table, and which of its partitions there should be.

    Attributes:
        now: SQL for the begin of the period of now.
        every: the length of a period.
        named: how a period's begin ends the name of its partition.
        floor: SQL for the time before which nothing is kept.
    """

    table: str
    now: str
    every: str
    back: int
    ahead: int
    named: str
    floor: str


MONTHS = Partitioned(
    table="feed_values",
    now="date_trunc('month', now())",
    every="1 month",
    back=12,
    ahead=3,
    named="YYYY_MM",
    floor="'-infinity'",
)
WEEKS = [
    Partitioned(
        table=table,
        now=f"date_bin('7 days', now(), {MONDAY})",
        every="7 days",
        back=1,
        ahead=2,
        named="YYYY_MM_DD",
        floor="(SELECT minutes_since FROM rollup_turn)",
    )
    for table in ("feed_minutes", "user_minutes")
]

# A period that already has rows in the default partition stays there: moving them would lock out
# others, and they are found nevertheless. One partition may have all times before a date.
_MISSING = """
SELECT '{table}_' || to_char(m, '{named}') AS name, m::text AS since,
    (m + interval '{every}')::text AS until, m > now() AS is_ahead
FROM generate_series({now} - $1::integer * interval '{every}',
    {now} + $2::integer * interval '{every}', '{every}') AS m
WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = '{table}'::regclass
        AND inhrelid = to_regclass('{table}_' || to_char(m, '{named}')))
    AND NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = '{table}'::regclass
        AND c.relname ~ '_before_' AND to_date(right(c.relname, 10), 'YYYY_MM_DD') > m)
    AND NOT EXISTS (SELECT FROM {table}_default WHERE ts >= m AND ts < m + interval '{every}')
    AND m + interval '{every}' > {floor}
"""

_ATTACH = """
ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{since}') TO ('{until}')
"""


class Period(msgspec.Struct, frozen=True):
    """A partition: its table, its times as PostgreSQL writes them, and whether it is in the
    future."""

    name: str
    since: str
    until: str
    is_ahead: bool

    @property
    def elsewhere(self) -> str:
        """A constraint of the default partition: it has no row of this period."""
        return f"not_{self.name}"


async def make_partitions(connection: Any) -> None:
    """Create the missing ones around now. Not inside a transaction.

    Raises:
        IN_USE: somebody uses what would have to be locked.
    """
    for each in (MONTHS, *WEEKS):
        missing = _MISSING.format(**msgspec.structs.asdict(each))
        for row in await connection.fetch(missing, each.back, each.ahead):
            await _make(connection, each.table, Period(**row))


async def _make(connection: Any, table: str, period: Period) -> None:
    async with step(connection):
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {period.name} (LIKE {table} INCLUDING ALL)"
        )
    if period.is_ahead:
        await _promise_nothing_there(connection, table, period)
    async with step(connection):
        values = {"name": period.name, "since": period.since, "until": period.until}
        await connection.execute(_ATTACH.format(table=table, **values))
        # The bounds of the partition guarantee it from now on.
        await connection.execute(
            f"ALTER TABLE {table}_default DROP CONSTRAINT IF EXISTS {period.elsewhere}"
        )


async def _promise_nothing_there(connection: Any, table: str, period: Period) -> None:
    """Because of this constraint, the default partition is scanned while others use it, and not
    while it is locked. Only for a future period: rows of the present would be refused if the
    attempt failed halfway."""
    if not await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table}_default)"):
        return
    check = f"ts < '{period.since}' OR ts >= '{period.until}'"
    await promise(connection, f"{table}_default", period.elsewhere, check)


async def promise(connection: Any, table: str, name: str, check: str) -> None:
    """Add a constraint, and validate it while others use the table. Not inside a transaction."""
    async with step(connection):
        await connection.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}, ADD CONSTRAINT"
            f" {name} CHECK ({check}) NOT VALID"
        )
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


@asynccontextmanager
async def step(connection: Any) -> AsyncIterator[None]:
    """A transaction, one at a time among all processes, that waits and works for a second at
    most."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{WITHIN}'")
        await connection.execute(f"SET LOCAL statement_timeout = '{WITHIN}'")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        yield

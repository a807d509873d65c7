"""The lead as one row: its holder, when it expires by the server's clock, and its epoch."""

from typing import Any

import asyncpg

from actors.ports.lead import Lead
from protocol.errors import Unavailable

# No lease is longer: its time is wrong then, because a clock was set back or somebody wrote it.
LONGEST_S = 120

# While another holder renews it, the UPDATE waits for that row lock and checks its condition again.
# So the clock is read at that moment (`clock_timestamp`), not at the beginning of the statement. A
# process that is refused and could serve marks itself; a new holder starts without a mark.
_HOLD = f"""
WITH held AS (
    UPDATE leads SET epoch = epoch + (holder IS DISTINCT FROM $1)::integer, holder = $1,
        renewals = renewals + 1,
        expires_at = clock_timestamp() + make_interval(secs => $2),
        standby_until = CASE holder WHEN $1 THEN standby_until ELSE '-infinity' END
    WHERE holder = $1 OR $3 OR (holder IS NULL OR NOT coalesce(expires_at
            BETWEEN clock_timestamp() AND clock_timestamp() + interval '{LONGEST_S} s', false))
        AND ($4 OR standby = $1 OR standby_until < clock_timestamp())
    RETURNING epoch, renewals, standby_until > clock_timestamp() AS has_standby
), marked AS (
    UPDATE leads SET standby = $1,
        standby_until = clock_timestamp() + make_interval(secs => $2)
    WHERE $4 AND NOT EXISTS (SELECT FROM held)
)
SELECT epoch, renewals, true AS is_ours, has_standby FROM held
UNION ALL
SELECT epoch, renewals, false, false FROM leads WHERE NOT EXISTS (SELECT FROM held)
"""

# Somebody deleted or spoiled the row. Microseconds since 1970 are above every epoch there was: each
# new holder makes it grow by one. So no batch of an earlier leader is taken for one of this epoch.
_CLEAR = f"""
DELETE FROM leads WHERE NOT coalesce(epoch BETWEEN (holder IS NOT NULL)::integer AND {2**62}
    AND renewals BETWEEN 0 AND {2**62}, false)
"""
_MAKE = """
INSERT INTO leads (epoch) SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
WHERE NOT EXISTS (SELECT FROM leads)
"""


async def hold_lead(
    connection: Any, holder: str, lease_s: float, seize: bool, is_fit: bool
) -> Lead:
    """See `actors.ports.lead`. A slow leader may still be committing under the old epoch; the next
    one waits for that (`loading.session_memory`)."""
    asked = holder, lease_s, seize, is_fit
    lead = await _held(connection, *asked)
    if lead is None:
        await _mend(connection)
        lead = await _held(connection, *asked)
    if lead is None:
        raise Unavailable("the row of the lead is damaged")
    return lead


async def _held(connection: Any, *asked: Any) -> Lead | None:
    """None where the row is missing or damaged."""
    try:
        row = await connection.fetchrow(_HOLD, *asked)
    except asyncpg.NumericValueOutOfRangeError:
        return None
    if row is None or row["epoch"] is None or row["renewals"] is None:
        return None
    if row["epoch"] < int(row["is_ours"]):
        return None
    return Lead(
        epoch=row["epoch"],
        is_ours=row["is_ours"],
        renewals=row["renewals"],
        has_standby=row["has_standby"],
    )


async def _mend(connection: Any) -> None:
    async with connection.transaction():
        await connection.execute("LOCK TABLE leads IN EXCLUSIVE MODE")  # one does it
        await connection.execute(_CLEAR)
        await connection.execute(_MAKE)


_IS_HELD = f"""
SELECT EXISTS (SELECT FROM leads WHERE holder IS NOT NULL
    AND expires_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '{LONGEST_S} s')
"""


async def is_held(connection: Any) -> bool:
    """Whether a process leads just now."""
    return bool(await connection.fetchval(_IS_HELD))


async def resign_lead(connection: Any, holder: str) -> None:
    await connection.execute("UPDATE leads SET holder = NULL WHERE holder = $1", holder)

"""The lead as one row: its holder, when it expires by the server's clock, and its epoch."""

from typing import Any

from actors.ports.lead import Lead
from protocol.errors import Unavailable

# While another holder renews it, the UPDATE waits for that row lock and checks its condition again.
# So the clock is read at that moment (`clock_timestamp`), not at the beginning of the statement. A
# process that is refused and could serve marks itself; a new holder starts without a mark.
_HOLD = """
WITH held AS (
    UPDATE leads SET epoch = epoch + (holder IS DISTINCT FROM $1)::integer, holder = $1,
        renewals = renewals + 1,
        expires_at = clock_timestamp() + make_interval(secs => $2),
        standby_until = CASE holder WHEN $1 THEN standby_until ELSE '-infinity' END
    WHERE holder = $1 OR $3 OR (holder IS NULL OR expires_at < clock_timestamp())
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

# Somebody deleted the row. Microseconds since 1970 are above every epoch there was, which grows by
# one with each new holder: no batch of an earlier leader is taken for one of this epoch.
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
    row = await connection.fetchrow(_HOLD, *asked)
    if row is None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE leads IN EXCLUSIVE MODE")  # one makes it
            await connection.execute(_MAKE)
        row = await connection.fetchrow(_HOLD, *asked)
    if row is None:
        raise Unavailable("the row of the lead is missing")
    return Lead(
        epoch=row["epoch"],
        is_ours=row["is_ours"],
        renewals=row["renewals"],
        has_standby=row["has_standby"],
    )


async def resign_lead(connection: Any, holder: str) -> None:
    await connection.execute("UPDATE leads SET holder = NULL WHERE holder = $1", holder)

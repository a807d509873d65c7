"""Dead letters: work that failed because of its content, noted in the transaction that found it.

    try:
        async with connection.transaction():         # a savepoint
            await one_row(connection)
    except asyncpg.DataError as error:
        await put_aside(connection, "rollups", "17/29000000", reason_of(error), now_us=now_us)

`put_aside`, `clear` and `due` are one statement each, and may run in any transaction that has not
failed.
"""

from collections.abc import Collection
from typing import Any

from actors.adapters.postgres.tables import DEAD_LETTERS
from protocol.dead_letters import (
    DETAIL_MAX,
    DOUBLED_MAX,
    KEPT_MAX,
    PAUSE_FIRST_S,
    PAUSE_MAX_S,
    PAUSE_MAX_US,
    SUBJECT_MAX,
    DeadLetter,
    line,
    pause_us,
    reason_of,
    storable,
)
from protocol.times import SECOND_US

NO_TEXTS = DEAD_LETTERS.selected_with(reason="''", detail="''")

# Like `pause_us` of the new number of attempts.
_PUT_ASIDE = f"""
INSERT INTO dead_letters AS l
    (work, subject, user_id, reason, detail, attempts, first_at, last_at, next_try_at)
SELECT $1, $2, $3::text::uuid, $4, $5, 1, $6, $6, $7
WHERE EXISTS (SELECT FROM dead_letters WHERE work = $1 AND subject = $2)
    OR (SELECT count(*) FROM dead_letters WHERE work = $1) < {KEPT_MAX}
ON CONFLICT (work, subject) DO UPDATE SET user_id = excluded.user_id, reason = excluded.reason,
    detail = excluded.detail, attempts = least(l.attempts, 1000000) + 1,
    last_at = excluded.last_at,
    next_try_at = excluded.last_at + interval '1 second'
        * least({PAUSE_FIRST_S} << least(l.attempts, {DOUBLED_MAX}), {PAUSE_MAX_S})
RETURNING next_try_at
"""


async def put_aside(
    connection: Any,
    work: str,
    subject: str,
    reason: str,
    *,
    now_us: int,
    user_id: str | None = None,
    detail: str = "",
) -> int | None:
    """Note one more failed attempt; return when (µs) the next one is due.

    None: there is no room, and it is not noted (see `DeadLetterStore.put_aside`).
    """
    next_us: int | None = await connection.fetchval(
        _PUT_ASIDE,
        work,
        storable(subject, SUBJECT_MAX),
        user_id,
        line(reason),
        storable(detail, DETAIL_MAX),
        now_us,
        now_us + pause_us(1),
    )
    return next_us


async def hold(
    connection: Any,
    work: str,
    subject: str,
    error: Exception,
    *,
    now_us: int,
    user_id: str | None = None,
    pause_max_s: int = PAUSE_MAX_S,
) -> int:
    """Put work with its own row aside; return when (µs) it is due again.

    If there is no room for its letter, it waits for the longest pause.
    """
    reason = reason_of(error)
    next_us = await put_aside(connection, work, subject, reason, now_us=now_us, user_id=user_id)
    longest_us = now_us + pause_max_s * SECOND_US
    return longest_us if next_us is None else min(next_us, longest_us)


async def clear(connection: Any, work: str, subjects: Collection[str]) -> int:
    """These succeeded, or no longer exist; return how many there were."""
    names = [storable(subject, SUBJECT_MAX) for subject in subjects]
    status = await connection.execute(
        "DELETE FROM dead_letters WHERE work = $1 AND subject = ANY($2)", work, names
    )
    return int(status.split()[1])


async def forget(connection: Any, work: str, due_before_us: int) -> int:
    """Delete letters that were due before this time and were not renewed."""
    status = await connection.execute(
        "DELETE FROM dead_letters WHERE work = $1 AND next_try_at < $2", work, due_before_us
    )
    return int(status.split()[1])


async def due(connection: Any, work: str, now_us: int, limit: int) -> list[DeadLetter]:
    """Letters that are due for their next try, the longest due first. Of two processes one gets
    each, while its transaction lasts. The reasons are not read, because these may be what cannot be
    read."""
    found = await connection.fetch(
        f"SELECT {NO_TEXTS} FROM dead_letters l WHERE l.work = $1"
        " AND (l.next_try_at <= $2 OR l.next_try_at > $3)"
        " ORDER BY l.next_try_at, l.subject LIMIT $4 FOR UPDATE SKIP LOCKED",
        work,
        now_us,
        now_us + PAUSE_MAX_US,
        limit,
    )
    return [DEAD_LETTERS.record(row) for row in found]

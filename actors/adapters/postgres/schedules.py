"""Media schedules and their occurrences, as their users set them up."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from actors.adapters.postgres.tables import OCCURRENCES, SCHEDULES
from actors.adapters.postgres.wire.optimistic_lock import revise
from actors.adapters.postgres.wire.shares import check_share
from actors.adapters.postgres.wire.writing import arrays
from protocol.errors import Conflict
from protocol.problems.detail import Detail
from protocol.schedule.schedules import Occurrence, Schedule

ADD_OCCURRENCES = """
INSERT INTO schedule_occurrences (schedule_num, due_at)
SELECT $1, due_at FROM unnest($2::timestamptz[]) AS i (due_at)
ON CONFLICT (schedule_num, due_at) DO NOTHING
"""


async def add_schedule(
    connection: Any, new: Schedule, due: Sequence[int], most: int | None
) -> Schedule:
    async with connection.transaction():
        await check_share(connection, "media_schedules", new.user_id, most)
        try:
            num = await connection.fetchval(
                f"{SCHEDULES.insert()} RETURNING num", *SCHEDULES.arguments(new)
            )
        except asyncpg.ForeignKeyViolationError:
            raise Conflict(Detail("target_deleted")) from None
        await connection.execute(ADD_OCCURRENCES, num, list(due))
        added = await connection.fetchrow(
            f"SELECT {SCHEDULES.selected} FROM {SCHEDULES.source} WHERE s.num = $1", num
        )
    return SCHEDULES.record(added)


_PLAYED = (
    "due_us",
    "state",
    "triggered_us",
    "acknowledged_us",
    "completed_us",
    "detail",
    "coded",
)
_ADD_PLAYED = """
INSERT INTO schedule_occurrences
  (schedule_num, due_at, state, triggered_at, acknowledged_at, completed_at, detail, coded)
SELECT $1, * FROM unnest($2::timestamptz[], $3::text[], $4::timestamptz[], $5::timestamptz[],
  $6::timestamptz[], $7::text[], $8::text[])
ON CONFLICT (schedule_num, due_at) DO NOTHING
"""


async def add_played(connection: Any, schedule: Schedule, played: Sequence[Occurrence]) -> None:
    await connection.execute(_ADD_PLAYED, schedule.num, *arrays(_PLAYED, played))


async def update_schedule(
    connection: Any, changed: Schedule, due: Sequence[int], known: int | None
) -> list[Occurrence]:
    """Rows are locked as they are changed: occurrences that were claimed are no longer pending."""
    async with connection.transaction():
        try:
            await revise(connection, SCHEDULES, changed, known)
        except asyncpg.ForeignKeyViolationError:
            raise Conflict(Detail("target_deleted")) from None
        rows = await connection.fetch(
            f"WITH o AS (UPDATE schedule_occurrences SET version = version + 1,"
            " state = CASE WHEN due_at = ANY($2) THEN 'pending' ELSE 'cancelled' END"
            " WHERE schedule_num = $1 AND (state = 'pending' AND NOT due_at = ANY($2)"
            " OR state = 'cancelled' AND command_id IS NULL AND due_at = ANY($2)) RETURNING *)"
            f" SELECT {OCCURRENCES.selected} FROM o"
            " JOIN media_schedules s ON s.num = o.schedule_num",
            changed.num,
            list(due),
        )
        await connection.execute(ADD_OCCURRENCES, changed.num, list(due))
    return [OCCURRENCES.record(row) for row in rows]


async def delete_schedule(connection: Any, user_id: str, schedule_id: str) -> None:
    await connection.execute(
        "DELETE FROM media_schedules WHERE user_id = $1::text::uuid AND id = $2::text::uuid",
        user_id,
        schedule_id,
    )

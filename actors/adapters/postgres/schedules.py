"""Media schedules and their occurrences, as their users set them up."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from actors.adapters.postgres.occurrence_sync import OCCURRENCE, occurrence
from actors.adapters.postgres.wire.optimistic_lock import revise
from actors.adapters.postgres.wire.shares import check_share
from protocol.errors import Conflict
from protocol.schedule.schedules import Occurrence, Schedule

NEXT_AT = (
    "(SELECT min(n.due_at) FROM schedule_occurrences n"
    " WHERE n.schedule_num = s.num AND n.state = 'pending')"
)
SCHEDULE = (
    "s.num, s.id::text, s.user_id::text, s.device_id::text, s.media_id::text, s.trigger_at,"
    " s.timezone, s.recurrence, s.exclusions, s.misfire, s.grace_s, s.enabled, s.created_at,"
    " s.planned_at, s.plan_at, s.revision,"
    f" {NEXT_AT} AS next_at"
)

ADD_OCCURRENCES = """
INSERT INTO schedule_occurrences (schedule_num, due_at)
SELECT $1, due_at FROM unnest($2::timestamptz[]) AS i (due_at)
ON CONFLICT (schedule_num, due_at) DO NOTHING
"""

_SETTINGS = (
    "trigger_at = $2, timezone = $3, recurrence = $4, exclusions = $5, misfire = $6,"
    " grace_s = $7, enabled = $8, planned_at = $9, plan_at = $10,"
    " device_id = $11::text::uuid, media_id = $12::text::uuid"
)


def schedule(row: Any) -> Schedule:
    return Schedule(
        num=row["num"],
        id=row["id"],
        user_id=row["user_id"],
        device_id=row["device_id"],
        media_id=row["media_id"],
        trigger_us=row["trigger_at"],
        timezone=row["timezone"],
        recurrence=row["recurrence"],
        exclusions=tuple(row["exclusions"]),
        misfire=row["misfire"],
        grace_s=row["grace_s"],
        enabled=row["enabled"],
        created_us=row["created_at"],
        planned_us=row["planned_at"],
        plan_us=row["plan_at"],
        next_us=row["next_at"],
        revision=row["revision"],
    )


def _settings(of: Schedule) -> tuple[Any, ...]:
    return (
        of.trigger_us,
        of.timezone,
        of.recurrence,
        list(of.exclusions),
        of.misfire,
        of.grace_s,
        of.enabled,
        of.planned_us,
        of.plan_us,
        of.device_id,
        of.media_id,
    )


async def add_schedule(
    connection: Any, new: Schedule, due: Sequence[int], most: int | None
) -> Schedule:
    async with connection.transaction():
        await check_share(connection, "media_schedules", new.user_id, most)
        try:
            num = await connection.fetchval(
                "INSERT INTO media_schedules (id, trigger_at, timezone, recurrence, exclusions,"
                " misfire, grace_s, enabled, planned_at, plan_at, device_id, media_id, user_id,"
                " created_at) VALUES ($1::text::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
                " $11::text::uuid, $12::text::uuid, $13::text::uuid, $14) RETURNING num",
                new.id,
                *_settings(new),
                new.user_id,
                new.created_us,
            )
        except asyncpg.ForeignKeyViolationError:
            raise Conflict("the device or the media is gone") from None
        await connection.execute(ADD_OCCURRENCES, num, list(due))
        added = await _schedule(connection, "s.num = $1", num)
    assert added is not None
    return added


async def schedule_of(connection: Any, user_id: str, schedule_id: str) -> Schedule | None:
    return await _schedule(
        connection, "s.user_id = $1::text::uuid AND s.id = $2::text::uuid", user_id, schedule_id
    )


async def _schedule(connection: Any, where: str, *args: Any) -> Schedule | None:
    row = await connection.fetchrow(
        f"SELECT {SCHEDULE} FROM media_schedules s WHERE {where}", *args
    )
    return None if row is None else schedule(row)


async def update_schedule(
    connection: Any, changed: Schedule, due: Sequence[int], known: int | None
) -> list[Occurrence]:
    """The rows are locked as they are changed: what a claim has already is not pending any more."""
    async with connection.transaction():
        try:
            await revise(
                connection,
                "media_schedules",
                "num = $1",
                _SETTINGS,
                known,
                changed.num,
                *_settings(changed),
            )
        except asyncpg.ForeignKeyViolationError:
            raise Conflict("the device or the media is gone") from None
        rows = await connection.fetch(
            f"WITH o AS (UPDATE schedule_occurrences SET version = version + 1,"
            " state = CASE WHEN due_at = ANY($2) THEN 'pending' ELSE 'cancelled' END"
            " WHERE schedule_num = $1 AND (state = 'pending' AND NOT due_at = ANY($2)"
            " OR state = 'cancelled' AND command_id IS NULL AND due_at = ANY($2)) RETURNING *)"
            f" SELECT {OCCURRENCE} FROM o JOIN media_schedules s ON s.num = o.schedule_num",
            changed.num,
            list(due),
        )
        await connection.execute(ADD_OCCURRENCES, changed.num, list(due))
    return [occurrence(row) for row in rows]


async def delete_schedule(connection: Any, user_id: str, schedule_id: str) -> None:
    await connection.execute(
        "DELETE FROM media_schedules WHERE user_id = $1::text::uuid AND id = $2::text::uuid",
        user_id,
        schedule_id,
    )

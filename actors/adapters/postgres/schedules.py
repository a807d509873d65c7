"""Media schedules, their occurrences, and the claim of those whose time has come."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from actors.adapters.postgres import commands, following
from actors.adapters.postgres.bounding import check_share
from actors.adapters.postgres.crossing import Crossing
from actors.adapters.postgres.dead_letters import clear, hold
from actors.adapters.postgres.delivering import announce
from actors.adapters.postgres.following import OCCURRENCE, occurrence
from actors.adapters.postgres.isolating import computed, each_apart, whole_or_apart
from actors.adapters.postgres.revising import revise
from actors.ports.time import Claimed, Judge, Planner, Progress
from protocol.dead_letters import OCCURRENCES, PLANS
from protocol.errors import Conflict
from protocol.schedules import Due, Occurrence, Schedule

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

# The few that are taken are found first, by the index alone: however many are due, nobody joins or
# sorts the rest. They are read as they are when they are locked, not from the table once more:
# there, this statement sees what was there when it began.
_DUE = """
WITH due AS MATERIALIZED (
    SELECT * FROM schedule_occurrences
    WHERE state = 'pending' AND coalesce(held_until, due_at) <= $1
    ORDER BY coalesce(held_until, due_at) LIMIT $2 FOR UPDATE SKIP LOCKED
)
SELECT o.num AS o_num, o.id::text AS o_id, o.due_at, o.held_until, o.version AS o_version,
    s.num, s.id::text, s.user_id::text, s.device_id::text, s.media_id::text, s.trigger_at,
    s.timezone, s.recurrence, s.exclusions, s.misfire, s.grace_s, s.enabled, s.created_at,
    s.planned_at, s.plan_at, s.revision, NULL AS next_at,
    d.num AS device_num, d.code, d.status, m.content_type, m.size, m.sha256
FROM due o JOIN media_schedules s ON s.num = o.schedule_num
    JOIN devices d ON d.id = s.device_id LEFT JOIN media m ON m.id = s.media_id
ORDER BY o.due_at, o.num
"""

# In one round trip: the commands of locked occurrences, what became of these, and when others are
# due.
_CLAIM = f"""
WITH sent AS ({commands.INSERT}),
    claimed AS ({following.updating(commands.INSERT_WIDTH + 1)} RETURNING o.num)
SELECT coalesce(held_until, due_at) FROM schedule_occurrences
WHERE state = 'pending' AND num NOT IN (SELECT num FROM claimed)
ORDER BY coalesce(held_until, due_at) LIMIT 1
"""

_NEXT = """
SELECT coalesce(held_until, due_at) FROM schedule_occurrences
WHERE state = 'pending' ORDER BY coalesce(held_until, due_at) LIMIT 1
"""

_ADD_OCCURRENCES = """
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
        await connection.execute(_ADD_OCCURRENCES, num, list(due))
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
        await connection.execute(_ADD_OCCURRENCES, changed.num, list(due))
    return [occurrence(row) for row in rows]


async def delete_schedule(connection: Any, user_id: str, schedule_id: str) -> None:
    await connection.execute(
        "DELETE FROM media_schedules WHERE user_id = $1::text::uuid AND id = $2::text::uuid",
        user_id,
        schedule_id,
    )


async def claim_occurrences(connection: Any, now_us: int, limit: int, judge: Judge) -> Claimed:
    return await whole_or_apart(connection, _claim, now_us, limit, judge)


async def _claim(connection: Any, now_us: int, limit: int, judge: Judge, *, apart: bool) -> Claimed:
    found = await connection.fetch(_DUE, now_us, limit)

    async def some(rows: Sequence[Any]) -> Claimed:
        return await _fire(connection, now_us, rows, judge)

    if not apart:
        held = [row["o_id"] for row in found if row["held_until"] is not None]
        if held:
            await clear(connection, OCCURRENCES, held)
        return await some(found)

    async def aside(row: Any, error: Exception) -> None:
        next_us = await hold(
            connection, OCCURRENCES, row["o_id"], error, now_us=now_us, user_id=row["user_id"]
        )
        await connection.execute(
            "UPDATE schedule_occurrences SET held_until = $2 WHERE num = $1", row["o_num"], next_us
        )

    done = await each_apart(connection, found, lambda row: some([row]), aside)
    changed = Progress(
        commands=tuple(command for each in done for command in each.changed.commands),
        occurrences=tuple(o for each in done for o in each.changed.occurrences),
        told=any(each.changed.told for each in done),
    )
    next_us = await connection.fetchval(_NEXT)
    return Claimed(send=changed.commands, changed=changed, next_us=next_us)


async def _fire(connection: Any, now_us: int, found: Sequence[Any], judge: Judge) -> Claimed:
    judged = [computed(judge, computed(_due, row)) for row in found]
    send = [command for _, command in judged if command is not None]
    occurrences = tuple(each for each, _ in judged)
    next_us = await connection.fetchval(
        _CLAIM, *commands.inserted(send), *following.updated(occurrences)
    )
    told = await announce(connection, now_us, occurrences=occurrences)
    changed = Progress(commands=tuple(send), occurrences=occurrences, told=told)
    return Claimed(send=tuple(send), changed=changed, next_us=next_us)


def _due(row: Any) -> Due:
    return Due(
        occurrence=Occurrence(
            num=row["o_num"],
            id=row["o_id"],
            schedule_id=row["id"],
            user_id=row["user_id"],
            device_id=row["device_id"],
            due_us=row["due_at"],
            version=row["o_version"],
        ),
        schedule=schedule(row),
        device_num=row["device_num"],
        device_code=row["code"],
        is_online=row["status"] != "offline",
        media_type=row["content_type"],
        media_size=row["size"],
        media_sha256=row["sha256"],
    )


async def plan_schedules(connection: Any, now_us: int, limit: int, planner: Planner) -> int | None:
    return await whole_or_apart(connection, _plan, now_us, limit, planner)


async def _plan(
    connection: Any, now_us: int, limit: int, planner: Planner, *, apart: bool
) -> int | None:
    found = await connection.fetch(
        f"SELECT {SCHEDULE} FROM media_schedules s WHERE s.plan_at <= $1"
        " ORDER BY s.plan_at LIMIT $2 FOR UPDATE OF s SKIP LOCKED",
        now_us,
        limit,
    )

    async def one(row: Any) -> None:
        more, due = computed(planner, computed(schedule, row))
        await connection.execute(_ADD_OCCURRENCES, more.num, due)
        await _plan_at(connection, more.num, more.planned_us, more.plan_us)

    async def aside(row: Any, error: Exception) -> None:
        next_us = await hold(
            connection, PLANS, row["id"], error, now_us=now_us, user_id=row["user_id"]
        )
        await _plan_at(connection, row["num"], row["planned_at"], next_us)

    if apart:
        await each_apart(connection, found, one, aside)
    else:
        for row in found:
            await one(row)
        await clear(connection, PLANS, [row["id"] for row in found])
    next_us: int | None = await connection.fetchval("SELECT min(plan_at) FROM media_schedules")
    return next_us


async def _plan_at(connection: Any, num: int, planned_us: int | None, plan_us: int | None) -> None:
    await connection.execute(
        "UPDATE media_schedules SET planned_at = $2, plan_at = $3 WHERE num = $1",
        num,
        planned_us,
        plan_us,
    )


class ScheduleCalls(Crossing):
    """See `actors.ports.time.ScheduleStore`."""

    async def add_schedule(
        self, schedule: Schedule, due: Sequence[int], most: int | None = None
    ) -> Schedule:
        return await self._work(add_schedule, schedule, due, most)

    async def schedule(self, user_id: str, schedule_id: str) -> Schedule | None:
        return await self._work(schedule_of, user_id, schedule_id)

    async def update_schedule(
        self, schedule: Schedule, due: Sequence[int], known: int | None = None
    ) -> list[Occurrence]:
        return await self._work(update_schedule, schedule, due, known)

    async def delete_schedule(self, user_id: str, schedule_id: str) -> None:
        await self._work(delete_schedule, user_id, schedule_id)

    async def claim_occurrences(self, now_us: int, limit: int, judge: Judge) -> Claimed:
        return await self._work(claim_occurrences, now_us, limit, judge)

    async def plan_schedules(self, now_us: int, limit: int, planner: Planner) -> int | None:
        return await self._work(plan_schedules, now_us, limit, planner)

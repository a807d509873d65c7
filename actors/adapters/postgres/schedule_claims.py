"""Claims due occurrences, and plans schedules ahead."""

from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres import commands, occurrence_sync, schedules
from actors.adapters.postgres.dead_letters import clear
from actors.adapters.postgres.schedules import ADD_OCCURRENCES
from actors.adapters.postgres.tables import NEXT_AT, SCHEDULES
from actors.adapters.postgres.webhook_outbox import announce
from actors.adapters.postgres.wire.claims import Work, each_apart
from actors.adapters.postgres.wire.isolation import computed, newest_of, whole_or_apart
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.ports.time import Claimed, Judge, Planner, Progress
from protocol.dead_letters import OCCURRENCES, PLANS
from protocol.schedule.schedules import Due, Occurrence, Schedule

# Nothing fires or is planned for a disabled user.
_IS_DISABLED = "s.user_id IN (SELECT id FROM users WHERE disabled_at IS NOT NULL)"
_MAY_FIRE = f"schedule_num NOT IN (SELECT s.num FROM media_schedules s WHERE {_IS_DISABLED})"

# The few rows that are taken are found first, by the index alone: however many are due, the rest is
# neither joined nor sorted. Rows are read when they are locked, not from the table once more,
# because there this statement sees the state at its beginning.
_WITH_DUE = f"""
WITH due AS MATERIALIZED (
    SELECT * FROM schedule_occurrences
    WHERE state = 'pending' AND coalesce(held_until, due_at) <= $1 AND {_MAY_FIRE}
    ORDER BY coalesce(held_until, due_at) LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""
# The next occurrence of a schedule is not needed here.
_SCHEDULE = SCHEDULES.selected.replace(NEXT_AT, "NULL")
_OF_DUE = f"""
SELECT o.num AS o_num, o.id::text AS o_id, o.due_at, o.held_until, o.version AS o_version,
    {_SCHEDULE},
    d.num AS device_num, d.code, d.status, d.password_sha256, m.content_type, m.size, m.sha256
FROM {{occurrences}} o JOIN media_schedules s ON s.num = o.schedule_num
    JOIN devices d ON d.id = s.device_id LEFT JOIN media m ON m.id = s.media_id
"""
_DUE = _WITH_DUE + _OF_DUE.format(occurrences="due") + "ORDER BY o.due_at, o.num"
_DUE_KEYS = f"""
{_WITH_DUE} SELECT o.num, o.id::text, s.user_id::text
FROM due o JOIN media_schedules s ON s.num = o.schedule_num ORDER BY o.due_at, o.num
"""
_FIRING = Work(
    name=OCCURRENCES,
    table="schedule_occurrences",
    due="held_until",
    row=_OF_DUE.format(occurrences="schedule_occurrences") + "WHERE o.num = $1",
    # The row that cannot be read may be a schedule.
    others="""
SELECT o.num FROM media_schedules s CROSS JOIN LATERAL (
    SELECT o.num FROM schedule_occurrences o WHERE o.schedule_num = s.num
    AND NOT o.num = ANY($1::bigint[]) LIMIT 1) AS o
ORDER BY s.num DESC LIMIT $2
""",
)

# In one round trip: the commands of locked occurrences, the occurrences' new states, and when
# others are due.
_CLAIM = f"""
WITH sent AS ({commands.INSERT}),
    claimed AS ({occurrence_sync.updating(commands.INSERT_WIDTH + 1)} RETURNING o.num)
SELECT coalesce(held_until, due_at) FROM schedule_occurrences
WHERE state = 'pending' AND num NOT IN (SELECT num FROM claimed) AND {_MAY_FIRE}
ORDER BY coalesce(held_until, due_at) LIMIT 1
"""

_NEXT = f"""
SELECT coalesce(held_until, due_at) FROM schedule_occurrences
WHERE state = 'pending' AND {_MAY_FIRE} ORDER BY coalesce(held_until, due_at) LIMIT 1
"""

_WHERE_UNPLANNED = f"""
FROM media_schedules s WHERE s.plan_at <= $1 AND NOT {_IS_DISABLED} ORDER BY s.plan_at LIMIT $2
FOR UPDATE OF s SKIP LOCKED
"""
_UNPLANNED = f"SELECT {SCHEDULES.selected} {_WHERE_UNPLANNED}"
_UNPLANNED_KEYS = f"SELECT s.num, s.id::text, s.user_id::text {_WHERE_UNPLANNED}"
_NEXT_PLAN = f"SELECT min(s.plan_at) FROM media_schedules s WHERE NOT {_IS_DISABLED}"
_PLANNED = "UPDATE media_schedules SET planned_at = $2, plan_at = $3 WHERE num = $1"
_PLANNING = Work(
    name=PLANS,
    table="media_schedules",
    due="plan_at",
    row=f"SELECT {SCHEDULES.selected} FROM media_schedules s WHERE s.num = $1",
    others=newest_of("media_schedules"),
)


async def claim_occurrences(connection: Any, now_us: int, limit: int, judge: Judge) -> Claimed:
    return await whole_or_apart(connection, _claim, now_us, limit, judge)


async def _claim(connection: Any, now_us: int, limit: int, judge: Judge, *, apart: bool) -> Claimed:
    found = await connection.fetch(_DUE_KEYS if apart else _DUE, now_us, limit)

    async def some(rows: Sequence[Any]) -> Claimed:
        return await _fire(connection, now_us, rows, judge)

    if not apart:
        held = [row["o_id"] for row in found if row["held_until"] is not None]
        if held:
            await clear(connection, OCCURRENCES, held)
        return await some(found)

    async def one(_: Any, row: Any) -> Claimed:
        return await some([row])

    done = await each_apart(connection, _FIRING, found, one, now_us=now_us)
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
        _CLAIM, *commands.inserted(send), *occurrence_sync.updated(occurrences)
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
        schedule=SCHEDULES.record(row),
        device_num=row["device_num"],
        device_code=row["code"],
        is_online=row["status"] != "offline",
        media_type=row["content_type"],
        media_size=row["size"],
        media_sha256=row["sha256"],
        password_sha256=row["password_sha256"],
    )


async def plan_schedules(connection: Any, now_us: int, limit: int, planner: Planner) -> int | None:
    return await whole_or_apart(connection, _plan, now_us, limit, planner)


async def _plan(
    connection: Any, now_us: int, limit: int, planner: Planner, *, apart: bool
) -> int | None:
    found = await connection.fetch(_UNPLANNED_KEYS if apart else _UNPLANNED, now_us, limit)

    async def one(_: Any, row: Any) -> None:
        more, due = computed(planner, computed(SCHEDULES.record, row))
        await connection.execute(ADD_OCCURRENCES, more.num, due)
        await connection.execute(_PLANNED, more.num, more.planned_us, more.plan_us)

    if apart:
        await each_apart(connection, _PLANNING, found, one, now_us=now_us)
    else:
        for row in found:
            await one(row, row)
        await clear(connection, PLANS, [row["id"] for row in found])
    next_us: int | None = await connection.fetchval(_NEXT_PLAN)
    return next_us


class ScheduleCalls(PooledCalls):
    """See `actors.ports.time.ScheduleStore`."""

    async def add_schedule(
        self, schedule: Schedule, due: Sequence[int], most: int | None = None
    ) -> Schedule:
        return await self._work(schedules.add_schedule, schedule, due, most)

    async def add_played(self, schedule: Schedule, played: Sequence[Occurrence]) -> None:
        await self._work(schedules.add_played, schedule, played)

    async def update_schedule(
        self, schedule: Schedule, due: Sequence[int], known: int | None = None
    ) -> list[Occurrence]:
        return await self._work(schedules.update_schedule, schedule, due, known)

    async def delete_schedule(self, user_id: str, schedule_id: str) -> None:
        await self._work(schedules.delete_schedule, user_id, schedule_id)

    async def claim_occurrences(self, now_us: int, limit: int, judge: Judge) -> Claimed:
        return await self._work(claim_occurrences, now_us, limit, judge)

    async def plan_schedules(self, now_us: int, limit: int, planner: Planner) -> int | None:
        return await self._work(plan_schedules, now_us, limit, planner)

"""What a calendar shows: occurrences in a window of time, and schedules whose rules go on in it."""

from typing import Any

from actors.adapters.postgres.list_queries import NOUNS
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.adapters.postgres.wire.unreadable import read
from protocol.rest.listing import OCCURRENCES, SCHEDULES, UnreadableRow
from protocol.schedule.calendar import Window

_OF_DEVICE = "($3::text IS NULL OR s.device_id = $3::text::uuid)"
_OCCURRENCES = f"""
WHERE s.user_id = $1::text::uuid AND o.due_at >= $4::timestamptz AND o.due_at < $5::timestamptz
    AND {_OF_DEVICE} AND NOT (o.state = 'cancelled' AND o.command_id IS NULL)
ORDER BY o.due_at, o.num LIMIT $2
"""
_SCHEDULES = f"""
WHERE s.user_id = $1::text::uuid AND s.enabled AND s.plan_at IS NOT NULL
    AND s.planned_at < $4::timestamptz AND {_OF_DEVICE}
ORDER BY s.planned_at, s.num LIMIT $2
"""
_MEDIA = """
SELECT s.id::text, s.media_id::text, m.filename
FROM media_schedules s LEFT JOIN media m ON m.id = s.media_id
WHERE s.user_id = $1::text::uuid AND s.id = ANY($2::text[]::uuid[])
"""


async def window(
    connection: Any, user_id: str, start_us: int, end_us: int, device_id: str | None, limit: int
) -> Window:
    asked = user_id, limit, device_id
    found = [
        *await read(
            connection, NOUNS[OCCURRENCES.name], user_id, _OCCURRENCES, *asked, start_us, end_us
        ),
        *await read(connection, NOUNS[SCHEDULES.name], user_id, _SCHEDULES, *asked, end_us),
    ]
    records = [record for _, record in found]
    unreadable = sum(isinstance(record, UnreadableRow) for record in records)
    occurrences = tuple(each for each in records if isinstance(each, OCCURRENCES.record))
    schedules = tuple(each for each in records if isinstance(each, SCHEDULES.record))
    ids = {each.schedule_id for each in occurrences} | {each.id for each in schedules}
    media = await connection.fetch(_MEDIA, user_id, sorted(ids))
    return Window(
        occurrences=occurrences,
        schedules=schedules,
        media={row["id"]: (row["media_id"], row["filename"]) for row in media},
        unreadable=unreadable,
    )


class CalendarCalls(PooledCalls):
    """See `actors.ports.time.ScheduleStore`."""

    async def window(
        self, user_id: str, start_us: int, end_us: int, device_id: str | None, limit: int
    ) -> Window:
        return await self._work(window, user_id, start_us, end_us, device_id, limit)

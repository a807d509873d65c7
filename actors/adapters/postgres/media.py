"""Media: which user has which content. The bytes are in files."""

from typing import Any

from actors.adapters.postgres.tables import MEDIA
from actors.adapters.postgres.wire.pool import PooledCalls
from protocol.errors import Conflict
from protocol.media.media import Media, MediaCounts, Tally
from protocol.problems.detail import Detail

# What may still need media: the code of the conflict, and a query that returns true for its id
# ($1). A new noun that refers to media adds its line here.
NEEDED_BY = {
    "media_in_use": "SELECT EXISTS ("
    "SELECT FROM media_schedules s"
    " WHERE s.media_id = $1 AND (s.plan_at IS NOT NULL"
    " OR EXISTS (SELECT FROM schedule_occurrences o"
    " WHERE o.schedule_num = s.num AND o.state = 'pending')))",
}


async def add_media(connection: Any, media: Media) -> Media:
    # The update changes nothing: it makes the statement return an existing row.
    row = await connection.fetchrow(
        f"{MEDIA.insert()} ON CONFLICT (sha256, user_id) DO UPDATE SET sha256 = excluded.sha256"
        f" RETURNING {MEDIA.selected}",
        *MEDIA.arguments(media),
    )
    return MEDIA.record(row)


async def delete_media(connection: Any, user_id: str, media_id: str) -> None:
    async with connection.transaction():
        # The lock: nobody can refer to it between the queries and the end of the transaction.
        found = await connection.fetchval(
            "SELECT id FROM media WHERE id = $2::text::uuid AND user_id = $1::text::uuid"
            " FOR UPDATE",
            user_id,
            media_id,
        )
        if found is None:
            return
        for code, query in NEEDED_BY.items():
            if await connection.fetchval(query, found):
                raise Conflict(Detail(code))
        await connection.execute("DELETE FROM media WHERE id = $1", found)


async def media_stats(connection: Any, user_id: str, since_us: int, timezone: str) -> MediaCounts:
    found = await connection.fetch(
        "SELECT content_type, day, count(*), coalesce(sum(size), 0)::bigint AS bytes,"
        " grouping(content_type) AS any_type, grouping(day) AS any_day FROM ("
        " SELECT content_type, size, CASE WHEN created_at >= $2"
        " THEN (created_at AT TIME ZONE $3::text)::date::text END AS day"
        " FROM media WHERE user_id = $1::text::uuid"
        ") AS each GROUP BY GROUPING SETS ((), (content_type), (day))",
        user_id,
        since_us,
        timezone,
    )
    total, by_type, by_day = Tally(), {}, {}
    for row in found:
        tally = Tally(count=row["count"], bytes=row["bytes"])
        if row["any_type"] and row["any_day"]:
            total = tally
        elif row["any_day"]:
            by_type[row["content_type"]] = tally
        elif row["day"] is not None:
            by_day[row["day"]] = tally
    return MediaCounts(total=total, by_type=by_type, by_day=by_day)


async def media_used(connection: Any, user_id: str) -> int:
    used: int = await connection.fetchval(
        "SELECT coalesce(sum(size), 0)::bigint FROM media WHERE user_id = $1::text::uuid", user_id
    )
    return used


async def is_content_used(connection: Any, sha256: bytes) -> bool:
    used: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM media WHERE sha256 = $1)", sha256
    )
    return used


class MediaCalls(PooledCalls):
    """See `actors.ports.media.MediaStore`."""

    async def add_media(self, media: Media) -> Media:
        return await self._work(add_media, media)

    async def delete_media(self, user_id: str, media_id: str) -> None:
        await self._work(delete_media, user_id, media_id)

    async def media_stats(self, user_id: str, since_us: int, timezone: str = "UTC") -> MediaCounts:
        return await self._work(media_stats, user_id, since_us, timezone)

    async def media_used(self, user_id: str) -> int:
        return await self._work(media_used, user_id)

    async def is_content_used(self, sha256: bytes) -> bool:
        return await self._work(is_content_used, sha256)

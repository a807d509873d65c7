"""Operations on dead letters: list, retry and drop them, and forget those of objects that no longer
exist."""

from collections.abc import Collection, Sequence
from typing import Any

from actors.adapters.postgres import dead_letters
from actors.adapters.postgres.commands import SUBJECT
from actors.adapters.postgres.tables import DEAD_LETTERS
from actors.adapters.postgres.wire.isolation import always, whole_or_halves
from actors.adapters.postgres.wire.plans import use_indexes
from actors.adapters.postgres.wire.pool import PooledCalls
from protocol.dead_letters import (
    COMMANDS,
    DEVICES,
    ERASURES,
    HISTORY,
    LISTENERS,
    OCCURRENCES,
    PLANS,
    ROLLUPS,
    ROWS,
    SESSIONS,
    USER_SUMS,
    WEBHOOKS,
    DeadLetter,
)
from protocol.rest.listing import LISTS

# Where work with its own row is due: table, subject, column, and a condition for rows that still
# are.
_ROWS = {
    PLANS: ("media_schedules", "id::text", "plan_at", "true"),
    OCCURRENCES: ("schedule_occurrences", "id::text", "held_until", "state = 'pending'"),
    COMMANDS: ("commands c", SUBJECT, "next_try_at", "state IN ('queued', 'sent')"),
}

# A webhook that failed is paused as a whole, and only a few of its deliveries are tried at once. So
# the requested ones go before the others that wait there. The webhook's row is locked first, in the
# same order as when a try is noted.
_RELEASE_WEBHOOKS = """
UPDATE webhooks w SET paused_at = NULL WHERE w.paused_at IS NOT NULL AND w.num IN (
    SELECT d.webhook_num FROM webhook_deliveries d
    WHERE d.id::text = ANY($1) AND d.state = 'pending')
"""
_RELEASE_DELIVERIES = """
UPDATE webhook_deliveries SET next_try_at = $2 WHERE id::text = ANY($1) AND state = 'pending'
"""

_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_THE_ID = f"CASE WHEN l.subject ~ '^{_ID}' THEN left(l.subject, 36)::uuid END"
_ITS_ID = f"CASE WHEN l.subject ~ '/{_ID}$' THEN right(l.subject, 36)::uuid END"
_THE_NUMBER = (
    "CASE WHEN l.subject ~ '^[0-9]{1,10}/-?[0-9]{1,10}$'"
    " THEN split_part(l.subject, '/', 1)::bigint END"
)
_ITS_NUMBER = "CASE WHEN l.subject ~ '^[0-9]{1,10}$' THEN l.subject::bigint END"
# The subject of a letter, while it exists and its work is still to be done. (A subquery for each
# letter finds it by an index; a join might read the whole table.)
_SUBJECTS = {
    PLANS: f"SELECT true FROM media_schedules r WHERE r.id = {_THE_ID} AND r.plan_at IS NOT NULL",
    OCCURRENCES: "SELECT true FROM schedule_occurrences r"
    f" WHERE r.id = {_THE_ID} AND r.state = 'pending'",
    COMMANDS: f"SELECT true FROM commands r WHERE r.user_id = {_THE_ID} AND r.id = {_ITS_ID}"
    " AND r.state IN ('queued', 'sent')",
    WEBHOOKS: f"SELECT true FROM webhook_deliveries r WHERE r.id = {_THE_ID}"
    " AND r.state = 'pending'",
    DEVICES: f"SELECT true FROM devices r WHERE r.user_id = {_THE_ID}"
    " AND r.code = substr(l.subject, 38)",
    HISTORY: f"SELECT true FROM feeds r WHERE r.retain_days IS NOT NULL AND r.num = {_ITS_NUMBER}",
    SESSIONS: "SELECT true FROM taken r WHERE l.subject = r.session || ' ' || r.commit_no",
    ERASURES: f"SELECT true FROM users r WHERE r.id = {_THE_ID} AND r.erasing_at IS NOT NULL",
    # What a deleted listener left is cleared by the next try.
    LISTENERS: f"SELECT l.subject ~ '^{_ID}$'",
    ROWS: f"SELECT l.subject ~ '^({'|'.join(noun.name for noun in LISTS)}) [0-9]{{1,18}}$'",
    ROLLUPS: f"SELECT l.subject ~ '^{USER_SUMS}{_ID}$' OR"
    f" EXISTS (SELECT FROM feeds r WHERE r.num = {_THE_NUMBER})",
}


_DAMAGED = DEAD_LETTERS.selected_with(
    subject="''", reason="'this letter cannot be read'", detail="''"
)


async def forget_gone(connection: Any, work: str) -> int:
    """Delete letters whose subject no longer exists, or has ended."""
    if work not in _SUBJECTS:
        return 0
    async with connection.transaction():
        await use_indexes(connection)
        status = await connection.execute(
            f"DELETE FROM dead_letters l WHERE l.work = $1 AND ({_SUBJECTS[work]}) IS NOT TRUE",
            work,
        )
    return int(status.split()[1])


async def listed(connection: Any, limit: int, after: tuple[int, str] | None) -> list[DeadLetter]:
    """A page. A letter whose texts cannot be read is listed without them."""
    first_us, letter_id = after or (0, "00000000-0000-0000-0000-000000000000")
    keys = await connection.fetch(
        "SELECT id::text FROM dead_letters WHERE (first_at, id) > ($1, $2::text::uuid)"
        " ORDER BY first_at, id LIMIT $3",
        first_us,
        letter_id,
        limit,
    )
    damaged: list[DeadLetter] = []

    async def read(ids: Sequence[str]) -> list[DeadLetter]:
        return await _letters(connection, DEAD_LETTERS.selected, ids)

    async def aside(letter_id: str, _: Exception) -> None:
        damaged.extend(await _letters(connection, _DAMAGED, [letter_id]))

    found = await whole_or_halves(connection, [key["id"] for key in keys], read, aside, always)
    return sorted([*found, *damaged], key=lambda letter: (letter.first_us, letter.id))


async def _letters(connection: Any, selected: str, ids: Sequence[str]) -> list[DeadLetter]:
    found = await connection.fetch(
        f"SELECT {selected} FROM {DEAD_LETTERS.source} WHERE l.id = ANY($1::text[]::uuid[])"
        " ORDER BY l.first_at, l.id",
        list(ids),
    )
    return [DEAD_LETTERS.record(row) for row in found]


async def counted(connection: Any) -> dict[str, int]:
    found = await connection.fetch(
        "SELECT coalesce(work, '?') AS work, count(*) AS many FROM dead_letters"
        " GROUP BY 1 ORDER BY 1"
    )
    return {row["work"]: row["many"] for row in found}


async def retry(connection: Any, letter_id: str | None, now_us: int) -> int:
    async with connection.transaction():
        chosen = await connection.fetch(
            "UPDATE dead_letters SET next_try_at = $2"
            " WHERE $1::text IS NULL OR id = $1::text::uuid RETURNING work, subject",
            letter_id,
            now_us,
        )
        for work, (table, subject, column, where) in _ROWS.items():
            subjects = [row["subject"] for row in chosen if row["work"] == work]
            if subjects:
                await connection.execute(
                    f"UPDATE {table} SET {column} = $2"
                    f" WHERE {subject} = ANY($1) AND {column} > $2 AND {where}",
                    subjects,
                    now_us,
                )
        deliveries = [row["subject"] for row in chosen if row["work"] == WEBHOOKS]
        if deliveries:
            await connection.execute(_RELEASE_WEBHOOKS, deliveries)
            await connection.execute(_RELEASE_DELIVERIES, deliveries, 0)
    return len(chosen)


async def drop(connection: Any, letter_id: str) -> bool:
    async with connection.transaction():
        work = await connection.fetchval(
            "DELETE FROM dead_letters WHERE id = $1::text::uuid RETURNING work", letter_id
        )
        if work == ROLLUPS:  # its work is tried once more, and put aside again if it fails
            for table in ("rollup_late", "user_rollups_stale"):
                await connection.execute(f"UPDATE {table} SET held = false WHERE held")
    return work is not None


class DeadLetterCalls(PooledCalls):
    """See `actors.ports.dead_letters.DeadLetterStore`."""

    async def put_aside(
        self,
        work: str,
        subject: str,
        reason: str,
        *,
        now_us: int,
        user_id: str | None = None,
        detail: str = "",
    ) -> int | None:
        async def unit(connection: Any) -> int | None:
            return await dead_letters.put_aside(
                connection, work, subject, reason, now_us=now_us, user_id=user_id, detail=detail
            )

        return await self._work(unit)

    async def clear_dead_letters(self, work: str, subjects: Collection[str]) -> int:
        return await self._work(dead_letters.clear, work, subjects)

    async def forget_dead_letters(self, work: str, due_before_us: int) -> int:
        return await self._work(dead_letters.forget, work, due_before_us)

    async def forget_gone_letters(self, work: str) -> int:
        return await self._work(forget_gone, work)

    async def due_dead_letters(self, work: str, now_us: int, limit: int) -> list[DeadLetter]:
        return await self._work(dead_letters.due, work, now_us, limit)

    async def dead_letters(self, limit: int, after: tuple[int, str] | None) -> list[DeadLetter]:
        return await self._work(listed, limit, after)

    async def count_dead_letters(self) -> dict[str, int]:
        return await self._work(counted)

    async def retry_dead_letters(self, letter_id: str | None, now_us: int) -> int:
        return await self._work(retry, letter_id, now_us)

    async def drop_dead_letter(self, letter_id: str) -> bool:
        return await self._work(drop, letter_id)

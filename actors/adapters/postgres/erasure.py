"""Accounts that are disabled or erased."""

from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres import views
from actors.adapters.postgres.history_deletion import PURGE_WITHIN_S, erase_feeds
from actors.adapters.postgres.people import CHANNEL, add_audit
from actors.adapters.postgres.wire.pool import PooledCalls
from protocol.people.people import AuditEntry
from protocol.people.user import DisabledUser, ErasureLeft

OF_USER = "WHERE user_id = $1::text::uuid"
# Tables without a reference to users: no cascade deletes their rows.
UNREFERENCED = (
    *("rejected_messages", "refusals_not_kept", "user_minutes", "user_hours"),
    *("user_rollups_stale", "rollup_late", "dead_letters"),
)

_DISABLE = """
UPDATE users SET disabled_at = coalesce(disabled_at, $2::timestamptz),
    erasing_at = CASE WHEN $3 THEN coalesce(erasing_at, $2::timestamptz) ELSE erasing_at END,
    revision = revision + 1
WHERE id = $1::text::uuid RETURNING pg_notify($4, id::text)
"""
_ENABLE = """
UPDATE users SET disabled_at = NULL, revision = revision + 1
WHERE id = $1::text::uuid AND erasing_at IS NULL RETURNING pg_notify($2, id::text)
"""
_DISABLED = """
SELECT id::text, disabled_at, erasing_at IS NOT NULL AS is_erased FROM users
WHERE disabled_at IS NOT NULL ORDER BY disabled_at, id
"""
_LEFT = """
SELECT (SELECT count(*) FROM devices WHERE user_id = u.id) AS devices,
    (SELECT count(*) FROM feeds WHERE user_id = u.id) AS feeds,
    (SELECT count(*) FROM media WHERE user_id = u.id) AS media
FROM users u WHERE id = $1::text::uuid AND erasing_at IS NOT NULL
"""


async def disable(
    connection: Any, user_id: str, now_us: int, erase: bool, entries: Sequence[AuditEntry]
) -> bool:
    async with connection.transaction():
        found = await connection.fetch(_DISABLE, user_id, now_us, erase, CHANNEL)
        if not found:
            return False
        await connection.fetch(
            f"DELETE FROM sessions {OF_USER} RETURNING pg_notify($2, id::text)", user_id, CHANNEL
        )
        await connection.execute(f"DELETE FROM password_resets {OF_USER}", user_id)
        # Sockets that were opened with a key end.
        await connection.fetch(
            f"SELECT pg_notify($2, id::text) FROM api_keys {OF_USER}", user_id, CHANNEL
        )
        await views.lock(connection, user_id)
        for entry in entries:
            await add_audit(connection, entry)
    # After the commit: nobody logs in again meanwhile.
    await views.end_connections(connection, user_id)
    return True


async def enable(connection: Any, user_id: str, entries: Sequence[AuditEntry]) -> bool:
    async with connection.transaction():
        if not await connection.fetch(_ENABLE, user_id, CHANNEL):
            return False
        await views.unlock(connection, user_id)
        for entry in entries:
            await add_audit(connection, entry)
    return True


async def disabled(connection: Any) -> list[DisabledUser]:
    return [
        DisabledUser(id=row["id"], disabled_us=row["disabled_at"], is_erased=row["is_erased"])
        for row in await connection.fetch(_DISABLED)
    ]


async def left(connection: Any, user_id: str) -> ErasureLeft | None:
    row = await connection.fetchrow(_LEFT, user_id)
    return None if row is None else ErasureLeft(**row)


async def erase(connection: Any, url: str, user_id: str) -> bool:
    if await left(connection, user_id) is None:
        return True
    await views.revoke(connection, url, user_id)
    async with connection.transaction():
        # An upload that is under way comes before this, or finds no user.
        await connection.execute("SELECT FROM users WHERE id = $1::text::uuid FOR UPDATE", user_id)
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM media {OF_USER})", user_id):
            return False
        feeds = await connection.fetch(f"SELECT num FROM feeds {OF_USER} ORDER BY num", user_id)
        await erase_feeds(connection, [row["num"] for row in feeds])
        for table in UNREFERENCED:
            await connection.execute(f"DELETE FROM {table} {OF_USER}", user_id)
        await connection.fetch(
            "DELETE FROM users WHERE id = $1::text::uuid RETURNING pg_notify($2, id::text)",
            user_id,
            CHANNEL,
        )
    return True


class ErasureCalls(PooledCalls):
    """See `actors.ports.erasure.ErasureStore`."""

    async def disable_user(
        self, user_id: str, now_us: int, *, erase: bool = False, entries: Sequence[AuditEntry] = ()
    ) -> bool:
        return await self._work(disable, user_id, now_us, erase, entries)

    async def enable_user(self, user_id: str, *, entries: Sequence[AuditEntry] = ()) -> bool:
        return await self._work(enable, user_id, entries)

    async def disabled_users(self) -> list[DisabledUser]:
        return await self._work(disabled)

    async def erasure_left(self, user_id: str) -> ErasureLeft | None:
        return await self._work(left, user_id)

    async def erase_user(self, user_id: str) -> bool:
        return await self._work(erase, self._url, user_id, within_s=PURGE_WITHIN_S)

"""API keys, and links for a new password."""

from typing import Any

from actors.adapters.postgres.people import CHANNEL
from actors.adapters.postgres.wire import rows
from actors.adapters.postgres.wire.pool import PooledCalls
from protocol.errors import Conflict
from protocol.people.access import KEYS_MAX, ApiKey
from protocol.records import User

KEY = (
    "k.num, k.id::text, k.user_id::text AS owner_id, k.name, k.prefix, k.sha256, k.scope,"
    " k.created_at, k.expires_at, k.last_used_at"
)


def api_key_of(row: Any) -> ApiKey:
    return ApiKey(
        num=row["num"],
        id=row["id"],
        user_id=row["owner_id"],
        name=row["name"],
        prefix=row["prefix"],
        sha256=row["sha256"],
        scope=row["scope"],
        created_us=row["created_at"],
        expires_us=row["expires_at"],
        last_used_us=row["last_used_at"],
    )


async def add_api_key(connection: Any, new: ApiKey) -> ApiKey:
    async with connection.transaction():
        await connection.execute(
            "SELECT FROM users WHERE id = $1::text::uuid FOR NO KEY UPDATE", new.user_id
        )
        row = await connection.fetchrow(
            "INSERT INTO api_keys AS k (id, user_id, name, prefix, sha256, scope, created_at,"
            " expires_at) SELECT $1::text::uuid, $2::text::uuid, $3, $4, $5, $6, $7, $8"
            " WHERE (SELECT count(*) FROM api_keys WHERE user_id = $2::text::uuid) < $9"
            f" RETURNING {KEY}",
            new.id,
            new.user_id,
            new.name,
            new.prefix,
            new.sha256,
            new.scope,
            new.created_us,
            new.expires_us,
            KEYS_MAX,
        )
    if row is None:
        raise Conflict(f"you have {KEYS_MAX} keys already")
    return api_key_of(row)


async def api_key(connection: Any, sha256: bytes) -> tuple[ApiKey, User] | None:
    row = await connection.fetchrow(
        f"SELECT {KEY}, {rows.USER} FROM api_keys k JOIN users u ON u.id = k.user_id"
        " WHERE k.sha256 = $1",
        sha256,
    )
    return None if row is None else (api_key_of(row), rows.user(row))


async def api_key_used(connection: Any, key_id: str, now_us: int) -> None:
    await connection.execute(
        "UPDATE api_keys SET last_used_at = $2 WHERE id = $1::text::uuid", key_id, now_us
    )


async def delete_api_key(connection: Any, user_id: str, key_id: str) -> bool:
    found = await connection.fetch(
        "DELETE FROM api_keys WHERE user_id = $1::text::uuid AND id = $2::text::uuid"
        " RETURNING pg_notify($3, id::text)",
        user_id,
        key_id,
        CHANNEL,
    )
    return bool(found)


async def add_reset(connection: Any, sha256: bytes, user_id: str, expires_us: int) -> None:
    async with connection.transaction():
        await connection.execute(
            "DELETE FROM password_resets WHERE user_id = $1::text::uuid", user_id
        )
        await connection.execute(
            "INSERT INTO password_resets VALUES ($1, $2::text::uuid, $3)",
            sha256,
            user_id,
            expires_us,
        )


async def take_reset(connection: Any, sha256: bytes, now_us: int) -> User | None:
    row = await connection.fetchrow(
        "WITH r AS (DELETE FROM password_resets WHERE sha256 = $1 RETURNING user_id, expires_at)"
        f" SELECT r.expires_at, {rows.USER} FROM r JOIN users u ON u.id = r.user_id",
        sha256,
    )
    return None if row is None or row["expires_at"] <= now_us else rows.user(row)


class AccessCalls(PooledCalls):
    """See `actors.ports.access.AccessStore`."""

    async def add_api_key(self, key: ApiKey) -> ApiKey:
        return await self._work(add_api_key, key)

    async def api_key(self, sha256: bytes) -> tuple[ApiKey, User] | None:
        return await self._work(api_key, sha256)

    async def api_key_used(self, key_id: str, now_us: int) -> None:
        await self._work(api_key_used, key_id, now_us)

    async def delete_api_key(self, user_id: str, key_id: str) -> bool:
        return await self._work(delete_api_key, user_id, key_id)

    async def add_reset(self, sha256: bytes, user_id: str, expires_us: int) -> None:
        await self._work(add_reset, sha256, user_id, expires_us)

    async def take_reset(self, sha256: bytes, now_us: int) -> User | None:
        return await self._work(take_reset, sha256, now_us)

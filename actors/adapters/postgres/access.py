"""API keys, and links that reset a password or confirm an address."""

from typing import Any

from actors.adapters.postgres.people import CHANNEL
from actors.adapters.postgres.tables import API_KEYS, USERS
from actors.adapters.postgres.wire.pool import PooledCalls
from protocol.errors import Conflict
from protocol.people.access import KEY_NETWORKS_MAX, KEYS_MAX, ApiKey
from protocol.people.user import User
from protocol.problems.detail import Detail


async def add_api_key(connection: Any, new: ApiKey) -> ApiKey:
    async with connection.transaction():
        await connection.execute(
            "SELECT FROM users WHERE id = $1::text::uuid FOR NO KEY UPDATE", new.user_id
        )
        row = await connection.fetchrow(
            f"INSERT INTO api_keys AS k ({API_KEYS.names}) SELECT {API_KEYS.values}"
            " WHERE (SELECT count(*) FROM api_keys WHERE user_id = $2::text::uuid)"
            f" < {KEYS_MAX} RETURNING {API_KEYS.selected}",
            *API_KEYS.arguments(new),
        )
    if row is None:
        raise Conflict(Detail("api_keys_full", most=KEYS_MAX))
    return API_KEYS.record(row)


async def api_key(connection: Any, sha256: bytes) -> tuple[ApiKey, User] | None:
    row = await connection.fetchrow(
        f"SELECT {API_KEYS.selected}, {USERS.selected} FROM api_keys k"
        " JOIN users u ON u.id = k.user_id WHERE k.sha256 = $1 AND u.disabled_at IS NULL",
        sha256,
    )
    return None if row is None else (API_KEYS.record(row), USERS.record(row))


_USED = f"""
WITH old AS MATERIALIZED (
    SELECT id, $3 = ANY(networks) AS is_known FROM api_keys WHERE id = $1::text::uuid FOR UPDATE
)
UPDATE api_keys k SET last_used_at = $2, networks = CASE
    WHEN old.is_known THEN k.networks
    WHEN cardinality(k.networks) < {KEY_NETWORKS_MAX} THEN k.networks || $3::text
    ELSE k.networks[2:] || $3::text END
FROM old WHERE k.id = old.id RETURNING NOT old.is_known
"""


async def api_key_used(connection: Any, key_id: str, now_us: int, network: str) -> bool:
    return bool(await connection.fetchval(_USED, key_id, now_us, network))


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


async def reset_user(connection: Any, sha256: bytes, now_us: int) -> User | None:
    row = await connection.fetchrow(
        f"SELECT {USERS.selected} FROM password_resets r JOIN users u ON u.id = r.user_id"
        " WHERE r.sha256 = $1 AND r.expires_at > $2 AND u.disabled_at IS NULL",
        sha256,
        now_us,
    )
    return None if row is None else USERS.record(row)


async def add_email_verification(
    connection: Any, sha256: bytes, user_id: str, email: str, expires_us: int
) -> None:
    async with connection.transaction():
        await connection.execute(
            "DELETE FROM email_verifications WHERE user_id = $1::text::uuid", user_id
        )
        await connection.execute(
            "INSERT INTO email_verifications (sha256, user_id, email, expires_at)"
            " VALUES ($1, $2::text::uuid, $3, $4)",
            sha256,
            user_id,
            email,
            expires_us,
        )


async def email_verification(
    connection: Any, sha256: bytes, now_us: int
) -> tuple[User, str] | None:
    row = await connection.fetchrow(
        f"SELECT {USERS.selected}, v.email AS confirmed"
        " FROM email_verifications v JOIN users u ON u.id = v.user_id"
        " WHERE v.sha256 = $1 AND v.expires_at > $2 AND u.disabled_at IS NULL",
        sha256,
        now_us,
    )
    return None if row is None else (USERS.record(row), row["confirmed"])


class AccessCalls(PooledCalls):
    """See `actors.ports.access.AccessStore`."""

    async def add_api_key(self, key: ApiKey) -> ApiKey:
        return await self._work(add_api_key, key)

    async def api_key(self, sha256: bytes) -> tuple[ApiKey, User] | None:
        return await self._work(api_key, sha256)

    async def api_key_used(self, key_id: str, now_us: int, network: str) -> bool:
        return await self._work(api_key_used, key_id, now_us, network)

    async def delete_api_key(self, user_id: str, key_id: str) -> bool:
        return await self._work(delete_api_key, user_id, key_id)

    async def add_reset(self, sha256: bytes, user_id: str, expires_us: int) -> None:
        await self._work(add_reset, sha256, user_id, expires_us)

    async def reset_user(self, sha256: bytes, now_us: int) -> User | None:
        return await self._work(reset_user, sha256, now_us)

    async def add_email_verification(
        self, sha256: bytes, user_id: str, email: str, expires_us: int
    ) -> None:
        await self._work(add_email_verification, sha256, user_id, email, expires_us)

    async def email_verification(self, sha256: bytes, now_us: int) -> tuple[User, str] | None:
        return await self._work(email_verification, sha256, now_us)

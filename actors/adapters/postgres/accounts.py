"""Changes of accounts, with what ends in the same transaction."""

from typing import Any

import asyncpg

from actors.adapters.postgres.people import CHANNEL, add_audit, taken
from actors.adapters.postgres.tables import USERS
from actors.adapters.postgres.wire.optimistic_lock import revise
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.ports.people import AccountChange
from protocol.people.access import OwnSecrets

OF_USER = "WHERE user_id = $1::text::uuid"


async def update_user(connection: Any, change: AccountChange) -> OwnSecrets:
    user = change.user
    async with connection.transaction():
        try:
            await revise(connection, USERS, user, change.known)
        except asyncpg.UniqueViolationError as error:
            raise taken(error) from None
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, user.id)
        if change.sign_out:
            await connection.fetch(
                f"DELETE FROM sessions {OF_USER} RETURNING pg_notify($2, id::text)",
                user.id,
                CHANNEL,
            )
            await connection.execute(f"DELETE FROM password_resets {OF_USER}", user.id)
        await connection.execute(
            f"DELETE FROM email_verifications {OF_USER} AND email IS DISTINCT FROM $2",
            user.id,
            user.unconfirmed,
        )
        if change.take_over:
            await connection.execute(f"DELETE FROM second_factors {OF_USER}", user.id)
            await connection.execute(
                f"UPDATE webhooks SET enabled = false, revision = revision + 1 {OF_USER}", user.id
            )
        secrets = await (_revoke if change.revoke else _secrets)(connection, user.id)
        for entry in change.entries(secrets):
            await add_audit(connection, entry)
    return secrets


async def _secrets(connection: Any, user_id: str) -> OwnSecrets:
    keys = await connection.fetch(f"SELECT id::text FROM api_keys {OF_USER}", user_id)
    listener = await connection.fetchval(f"SELECT username FROM listeners {OF_USER}", user_id)
    return OwnSecrets(tuple(row["id"] for row in keys), listener)


async def _revoke(connection: Any, user_id: str) -> OwnSecrets:
    keys = await connection.fetch(
        f"DELETE FROM api_keys {OF_USER} RETURNING id::text, pg_notify($2, id::text)",
        user_id,
        CHANNEL,
    )
    listener = await connection.fetchval(
        f"DELETE FROM listeners {OF_USER} RETURNING username", user_id
    )
    return OwnSecrets(tuple(row["id"] for row in keys), listener)


class AccountCalls(PooledCalls):
    """See `actors.ports.people.PeopleStore.update_user`."""

    async def update_user(self, change: AccountChange) -> OwnSecrets:
        return await self._work(update_user, change)

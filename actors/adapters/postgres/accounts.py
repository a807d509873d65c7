"""Changes of accounts, with what ends in the same transaction."""

from typing import Any

import asyncpg

from actors.adapters.postgres.people import CHANNEL, add_audit, taken
from actors.adapters.postgres.tables import USERS
from actors.adapters.postgres.wire.optimistic_lock import revise
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.ports.people import Entries, no_entries
from protocol.people.access import OwnSecrets
from protocol.people.user import User

OF_USER = "WHERE user_id = $1::text::uuid"


async def update_user(
    connection: Any,
    user: User,
    *,
    known: int | None,
    sign_out: bool,
    revoke: bool,
    entries: Entries,
) -> OwnSecrets:
    async with connection.transaction():
        try:
            await revise(connection, USERS, user, known)
        except asyncpg.UniqueViolationError as error:
            raise taken(error) from None
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, user.id)
        if sign_out:
            await connection.fetch(
                f"DELETE FROM sessions {OF_USER} RETURNING pg_notify($2, id::text)",
                user.id,
                CHANNEL,
            )
            await connection.execute(f"DELETE FROM password_resets {OF_USER}", user.id)
        secrets = await (_revoke if revoke else _secrets)(connection, user.id)
        for entry in entries(secrets):
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

    async def update_user(
        self,
        user: User,
        *,
        known: int | None = None,
        sign_out: bool = False,
        revoke: bool = False,
        entries: Entries = no_entries,
    ) -> OwnSecrets:
        async def unit(connection: Any) -> OwnSecrets:
            return await update_user(
                connection,
                user,
                known=known,
                sign_out=sign_out,
                revoke=revoke,
                entries=entries,
            )

        return await self._work(unit)

"""Sessions of signed-in people, and one-time tickets for their sockets."""

from collections.abc import Collection
from typing import Any

from actors.adapters.postgres.people import CHANNEL
from actors.adapters.postgres.second_factors import second_factor
from actors.adapters.postgres.tables import SESSIONS, USERS
from actors.adapters.postgres.wire.pool import PooledCalls
from protocol.people.people import SESSIONS_MAX, Session
from protocol.people.user import User


async def add_session(
    connection: Any, new: Session, password_hash: str | None, factor_us: int | None
) -> bool:
    async with connection.transaction():
        # One after the other for each user, and never during a change of the password or the second
        # factor. That is read by a statement of its own: this one would not see a change for which
        # it has waited.
        same = await connection.fetchval(
            "SELECT password_hash IS NOT DISTINCT FROM $2 AND disabled_at IS NULL FROM users"
            " WHERE id = $1::text::uuid FOR NO KEY UPDATE",
            new.user_id,
            password_hash,
        )
        factor = await second_factor(connection, new.user_id)
        if not same or factor_us != (None if factor is None else factor.confirmed_us):
            return False
        await connection.execute(SESSIONS.insert(), *SESSIONS.arguments(new))
        await connection.fetch(
            "DELETE FROM sessions WHERE num IN (SELECT num FROM sessions"
            " WHERE user_id = $1::text::uuid ORDER BY num DESC OFFSET $2)"
            " RETURNING pg_notify($3, id::text)",
            new.user_id,
            SESSIONS_MAX,
            CHANNEL,
        )
    return True


async def session_of(connection: Any, session_id: str) -> tuple[Session, User] | None:
    row = await connection.fetchrow(
        f"SELECT {SESSIONS.selected}, {USERS.selected} FROM sessions s"
        " JOIN users u ON u.id = s.user_id WHERE s.id = $1::text::uuid",
        session_id,
    )
    return None if row is None else (SESSIONS.record(row), USERS.record(row))


async def sessions_alive(connection: Any, session_ids: Collection[str]) -> set[str]:
    found = await connection.fetch(
        "SELECT id::text FROM sessions WHERE id = ANY($1::text[]::uuid[])"
        " UNION ALL SELECT k.id::text FROM api_keys k JOIN users u ON u.id = k.user_id"
        " WHERE k.id = ANY($1::text[]::uuid[]) AND u.disabled_at IS NULL",
        list(session_ids),
    )
    return {row["id"] for row in found}


async def delete_sessions(connection: Any, user_id: str, session_ids: Collection[str]) -> list[str]:
    found = await connection.fetch(
        "DELETE FROM sessions WHERE user_id = $1::text::uuid AND id = ANY($2::text[]::uuid[])"
        " RETURNING id::text, pg_notify($3, id::text)",
        user_id,
        list(session_ids),
        CHANNEL,
    )
    return [row["id"] for row in found]


async def add_ticket(connection: Any, sha256: bytes, session_id: str, expires_us: int) -> None:
    # A session that is ending gets no ticket.
    await connection.execute(
        "INSERT INTO tickets (sha256, session_id, expires_at)"
        " SELECT $1, id, $3 FROM sessions WHERE id = $2::text::uuid FOR KEY SHARE",
        sha256,
        session_id,
        expires_us,
    )


async def take_ticket(connection: Any, sha256: bytes, now_us: int) -> str | None:
    row = await connection.fetchrow(
        "DELETE FROM tickets WHERE sha256 = $1 RETURNING session_id::text, expires_at", sha256
    )
    return None if row is None or row["expires_at"] <= now_us else row["session_id"]


class SessionCalls(PooledCalls):
    """The sessions of `actors.ports.people.PeopleStore`."""

    async def add_session(
        self, session: Session, password_hash: str | None, factor_us: int | None = None
    ) -> bool:
        return await self._work(add_session, session, password_hash, factor_us)

    async def session(self, session_id: str) -> tuple[Session, User] | None:
        return await self._work(session_of, session_id)

    async def sessions_alive(self, session_ids: Collection[str]) -> set[str]:
        return await self._work(sessions_alive, session_ids)

    async def delete_sessions(self, user_id: str, session_ids: Collection[str]) -> list[str]:
        return await self._work(delete_sessions, user_id, session_ids)

    async def add_ticket(self, sha256: bytes, session_id: str, expires_us: int) -> None:
        await self._work(add_ticket, sha256, session_id, expires_us)

    async def take_ticket(self, sha256: bytes, now_us: int) -> str | None:
        return await self._work(take_ticket, sha256, now_us)

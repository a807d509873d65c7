"""Accounts, and the audit log.

A change of a user, or the end of a session, notifies (`NOTIFY`) in its transaction. Every process
that caches them listens (`actors.access.sessions`).
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import asyncpg

from actors.adapters.postgres.tables import AUDIT, USERS
from actors.adapters.postgres.wire import connections
from actors.adapters.postgres.wire.pool import PooledCalls
from protocol.device.listeners import SETTINGS
from protocol.errors import Conflict, Unavailable
from protocol.people.people import AuditEntry
from protocol.people.user import User
from protocol.problems.detail import Detail

CHANNEL = "roost_people"
ANSWER_WITHIN_S = 3.0


async def add_user(connection: Any, user: User) -> None:
    try:
        await connection.execute(USERS.insert(), *USERS.arguments(user))
    except asyncpg.UniqueViolationError as error:
        raise taken(error) from None


def taken(error: asyncpg.UniqueViolationError) -> Conflict:
    is_subject = error.constraint_name == "users_subject"
    return Conflict(Detail("person_exists") if is_subject else Detail("account_exists"))


async def user_by_email(connection: Any, email: str) -> User | None:
    return await _user(connection, "lower(u.email) = lower($1)", email)


async def account(connection: Any, email: str) -> tuple[User, frozenset[str]] | None:
    # In one statement: with two, the time would show whether an account exists.
    row = await connection.fetchrow(
        f"SELECT {USERS.selected}, ARRAY(SELECT DISTINCT s.address FROM sessions s"
        " WHERE s.user_id = u.id) AS addresses FROM users u WHERE lower(u.email) = lower($1)",
        email,
    )
    return None if row is None else (USERS.record(row), frozenset(row["addresses"]))


async def user_by_subject(connection: Any, idp: str, subject: str) -> User | None:
    return await _user(connection, "u.idp = $1 AND u.subject = $2", idp, subject)


async def user(connection: Any, user_id: str) -> User | None:
    return await _user(connection, "u.id = $1::text::uuid", user_id)


async def _user(connection: Any, where: str, *args: Any) -> User | None:
    row = await connection.fetchrow(f"SELECT {USERS.selected} FROM users u WHERE {where}", *args)
    return None if row is None else USERS.record(row)


async def add_audit(connection: Any, entry: AuditEntry) -> None:
    await connection.execute(AUDIT.insert(), *AUDIT.arguments(entry))


async def _follow(
    url: str,
    heard: Callable[[str], None],
    begun: Callable[[], None],
    check_s: float,
    own_pids: Collection[int],
) -> None:
    """Listen until the connection fails, which regular queries detect."""

    def noticed(_: Any, pid: int, channel: str, payload: str) -> None:
        if pid not in own_pids or not payload.startswith(SETTINGS):
            heard(payload)

    connection = await connections.connect(url, **connections.ALIVE)
    ended = asyncio.Event()
    connection.add_termination_listener(lambda *about: ended.set())
    try:
        await connection.add_listener(CHANNEL, noticed)
        begun()
        while not ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), check_s)
            await connection.fetchval("SELECT 1", timeout=ANSWER_WITHIN_S)
    finally:
        connection.terminate()


class PeopleCalls(PooledCalls):
    """See `actors.ports.people.PeopleStore`."""

    async def add_user(self, user: User) -> None:
        await self._work(add_user, user)

    async def user_by_email(self, email: str) -> User | None:
        return await self._work(user_by_email, email)

    async def account(self, email: str) -> tuple[User, frozenset[str]] | None:
        return await self._work(account, email)

    async def user_by_subject(self, idp: str, subject: str) -> User | None:
        return await self._work(user_by_subject, idp, subject)

    async def user(self, user_id: str) -> User | None:
        return await self._work(user, user_id)

    async def follow_people(
        self, heard: Callable[[str], None], begun: Callable[[], None], check_s: float
    ) -> None:
        await self._cross(lambda: _follow(self._url, heard, begun, check_s, self._kind.pids))
        raise Unavailable("the connection for notifications ended")

    async def add_audit(self, entry: AuditEntry) -> None:
        await self._work(add_audit, entry)

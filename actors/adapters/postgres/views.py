"""What a user may read with SQL: views of their own, by a role that sees nothing else.

For Grafana's PostgreSQL source, and for queries that REST does not offer. The role may read three
views in a schema of its own name, in a separate database (`readers`), and change nothing.
"""

import uuid
from typing import Any

import msgspec

from actors.adapters.postgres import readers
from actors.adapters.postgres.readers import Patience
from actors.adapters.postgres.wire.pool import PooledCalls

ROLE = "roost_user_"
ROLES = f"^{ROLE}[0-9a-f]{{32}}$"
CONNECTIONS_MAX = 10
PATIENCE = Patience()
WITHIN_S = 60.0  # a database is created for the first login

_VIEWS = """
CREATE SCHEMA IF NOT EXISTS {role};
CREATE OR REPLACE VIEW {role}.devices WITH (security_barrier) AS
    SELECT id, code, name, status, temperature, humidity, latitude, longitude, firmware,
        last_seen_at
    FROM public.devices WHERE user_id = '{user}'::uuid;
CREATE OR REPLACE VIEW {role}.readings WITH (security_barrier) AS
    SELECT v.ts AS "time", d.code AS device_code, f.key AS feed_key, f.name AS feed_name, f.unit,
        v.number, v.text, v.boolean, v.flagged
    FROM public.feeds f JOIN public.feed_values v ON v.feed_num = f.num
        LEFT JOIN public.devices d ON d.num = v.device_num AND d.user_id = f.user_id
    WHERE f.user_id = '{user}'::uuid;
CREATE OR REPLACE VIEW {role}.readings_by_hour WITH (security_barrier) AS
    SELECT r.ts AS "time", d.code AS device_code, f.key AS feed_key, f.name AS feed_name, f.unit,
        r.count, coalesce(r.mean, r.sum / r.count) AS avg, r.min, r.max
    FROM public.feeds f JOIN public.feed_hours r ON r.feed_num = f.num AND r.level = 2
        LEFT JOIN public.devices d ON d.id = f.device_id
    WHERE f.user_id = '{user}'::uuid;
"""

_HERE = """
GRANT USAGE ON SCHEMA {role} TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA {role} TO {role};
"""
# Logins of earlier versions read their views in Roost's own database.
_NOT_HERE = """
REVOKE ALL ON SCHEMA {role} FROM {role};
REVOKE ALL ON ALL TABLES IN SCHEMA {role} FROM {role};
"""


class SqlLogin(msgspec.Struct, frozen=True, kw_only=True):
    """A reader's login.

    Attributes:
        server: where it listens: HOST:PORT, or the directory of its socket.
        database: the database with the views.
        is_apart: it is the readers' own database. Otherwise readers share Roost's (`readers`).
    """

    role: str
    server: str
    database: str
    is_apart: bool


_LISTENS = """
SELECT CASE current_setting('listen_addresses')
    WHEN '' THEN current_setting('unix_socket_directories')
    ELSE current_setting('listen_addresses') || ':' || current_setting('port') END
"""


def role_of(user_id: str) -> str:
    """The name of a user's role and schema; `user_id` is a UUID."""
    return ROLE + user_id.replace("-", "")


def user_of(role: str) -> str:
    """The inverse of `role_of`."""
    return str(uuid.UUID(role.removeprefix(ROLE)))


async def grant(connection: Any, url: str, user_id: str, password: str) -> SqlLogin:
    """Create the role and its views, or give the role a new password.

    Raises:
        Unavailable: the database server cannot reach itself.
    """
    role = role_of(user_id)
    apart = await readers.is_possible(connection)
    async with connection.transaction():
        known = await _is_known(connection, role)
        # Neither takes parameters; the name has hexadecimal digits only, the server quotes the
        # rest.
        quoted = await connection.fetchval("SELECT quote_literal($1)", password)
        await connection.execute(
            f"{'ALTER' if known else 'CREATE'} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB"
            f" NOCREATEROLE NOINHERIT CONNECTION LIMIT {CONNECTIONS_MAX} PASSWORD {quoted}"
        )
        await readers.limit(connection, role, {**readers.SETTINGS, "search_path": role})
        await connection.execute(_VIEWS.format(role=role, user=user_id))
        await connection.execute((_NOT_HERE if apart else _HERE).format(role=role))
        if apart:
            await readers.limit(connection, role, readers.LIMITS)
    if apart:
        database = await readers.admit(connection, url, role)
    else:
        database = str(await connection.fetchval("SELECT current_database()"))
    server = str(await connection.fetchval(_LISTENS))
    return SqlLogin(role=role, server=server, database=database, is_apart=apart)


async def lock(connection: Any, user_id: str) -> None:
    """In the caller's transaction: the role, if there is one, cannot log in any more."""
    await _let(connection, user_id, "NOLOGIN")


async def unlock(connection: Any, user_id: str) -> None:
    """Undo `lock`."""
    await _let(connection, user_id, "LOGIN")


async def _let(connection: Any, user_id: str, what: str) -> None:
    role = role_of(user_id)
    if await _is_known(connection, role):
        await connection.execute(f"ALTER ROLE {role} {what}")


async def end_connections(connection: Any, user_id: str) -> None:
    """End the sessions of the role."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = $1 AND pg_has_role(usesysid, 'USAGE')",
        role_of(user_id),
    )


async def revoke(connection: Any, url: str, user_id: str) -> bool:
    """Drop the role with its views; return False if there was none."""
    role = role_of(user_id)
    if not await _is_known(connection, role):
        return False
    if await readers.is_possible(connection):
        await readers.dismiss(connection, url, role)
    async with connection.transaction():
        await connection.execute(f"DROP SCHEMA IF EXISTS {role} CASCADE")
        await connection.execute(f"DROP OWNED BY {role}")
        await connection.execute(f"DROP ROLE {role}")
    return True


async def _is_known(connection: Any, role: str) -> bool:
    return bool(await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role))


class SqlLoginCalls(PooledCalls):
    """Logins of users who read with SQL. They are not part of the store's port: the operator's
    commands use them, and the service watches them (`roost.sql_watch`)."""

    async def grant_views(self, user_id: str, password: str) -> SqlLogin:
        """Create a role that may read this user's views."""
        return await self._work(grant, self._url, user_id, password, within_s=WITHIN_S)

    async def revoke_views(self, user_id: str) -> bool:
        """Drop the role and its views; return False if there was none."""
        return await self._work(revoke, self._url, user_id, within_s=WITHIN_S)

    async def lead_readers(self) -> None:
        """At a start: tell the readers' database where this one is now."""
        await self._work(readers.lead_again, self._url, within_s=WITHIN_S)

    async def end_late_readers(self, patience: Patience = PATIENCE) -> int:
        """End the sessions that take too long; return how many there were."""
        return await self._work(readers.end_late, ROLES, patience)

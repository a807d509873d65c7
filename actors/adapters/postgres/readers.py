"""The readers' database: the place of users' SQL logins, apart from Roost's own.

Notifications, advisory locks, temporary tables and large objects belong to one database. Whoever
may connect to it receives all of its notifications and may take any lock, and no privilege prevents
that. So readers may only connect to this database. It has foreign tables for their views
(`postgres_fdw`), and reaches Roost's database as a role that may read the views and nothing else,
with a password that no reader sees.

This needs a superuser. If Roost is none, readers share its database (`views`).
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import structlog

from actors.adapters.postgres.wire.connections import CLOSE_TIMEOUT_S, CONNECT_TIMEOUT_S
from protocol.errors import Unavailable, in_words

log = structlog.get_logger("roost.readers")

FOREIGN_ROLE = "roost_views_of_"  # followed by the name of the database
SUFFIX = "_readers"
NAME_MAX = 40  # of the 63 bytes that PostgreSQL keeps of a name
CONNECTIONS_MAX = 15  # for all readers, and as many to Roost's database

# Limits of a reader's statements. A login can change its own settings, so `watch` enforces them; in
# Roost's database the server does.
STATEMENT_S = 30
IDLE_S = 10
TRANSACTION_S = 60
TEMPORARY = "256MB"  # on disk, for sorting

_APART = """
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
DO $$ DECLARE f regprocedure; BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
        AND proname ~ '^(lo_|lowrite|loread|pg_notify)' LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END $$;
CREATE SERVER IF NOT EXISTS roost FOREIGN DATA WRAPPER postgres_fdw;
"""

_TABLES = """
DROP SCHEMA IF EXISTS {role} CASCADE;
CREATE SCHEMA {role};
IMPORT FOREIGN SCHEMA {role} FROM SERVER roost INTO {role};
GRANT USAGE ON SCHEMA {role} TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA {role} TO {role};
"""

# Who runs too long. Statements in Roost's own database end by the settings of their role.
_LATE = """
SELECT pid, usename AS role, state, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename ~ $1 AND pg_has_role(usesysid, 'USAGE') AND (
    state = 'active' AND clock_timestamp() - query_start > make_interval(secs => $2)
    OR state LIKE 'idle in transaction%'
        AND clock_timestamp() - state_change > make_interval(secs => $3)
    OR clock_timestamp() - xact_start > make_interval(secs => $4))
"""

SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": f"{STATEMENT_S}s",
    "idle_in_transaction_session_timeout": f"{IDLE_S}s",
}
# Only a superuser sets it, and the login cannot change it.
LIMITS = {"temp_file_limit": TEMPORARY}


class Way(msgspec.Struct, frozen=True):
    """An address by which the server reaches itself."""

    host: str
    port: str


def readers_of(database: str) -> str:
    """The name of the readers' database for one of Roost's."""
    return database[:NAME_MAX] + SUFFIX


async def limit(connection: Any, role: str, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        await connection.execute(f"ALTER ROLE {role} SET {name} = '{value}'")


async def is_possible(connection: Any) -> bool:
    """Whether Roost may do all this on this server."""
    wanted = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    return bool(await connection.fetchval(wanted))


async def admit(connection: Any, url: str, role: str) -> str:
    """Create foreign tables for the views in the schema of this role, for it alone; return the name
    of the database that has them.

    Args:
        connection: to Roost's database, as a superuser.

    Raises:
        Unavailable: the server cannot reach itself.
    """
    database = str(await connection.fetchval("SELECT current_database()"))
    foreign, readers = FOREIGN_ROLE + database[:NAME_MAX], readers_of(database)
    password = secrets.token_urlsafe(24)
    await _make_foreign(connection, database, foreign, password)
    await connection.execute(f"GRANT USAGE ON SCHEMA {role} TO {foreign}")
    await connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {role} TO {foreign}")
    await _make_database(connection, readers, role)
    async with _inside(url, readers) as inside:
        await inside.execute(_APART)
        await _lead_to(inside, await _ways(connection), database, foreign, password, role)
    return readers


@asynccontextmanager
async def _inside(url: str, readers: str) -> AsyncIterator[Any]:
    """A connection to the readers' database."""
    connection = await asyncpg.connect(url, database=readers, timeout=CONNECT_TIMEOUT_S)
    try:
        yield connection
    finally:
        await connection.close(timeout=CLOSE_TIMEOUT_S)  # noqa: ASYNC102 (asyncio)


async def _make_foreign(connection: Any, database: str, foreign: str, password: str) -> None:
    known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", foreign)
    await connection.execute(
        f"{'ALTER' if known else 'CREATE'} ROLE {foreign} LOGIN NOSUPERUSER NOINHERIT"
        f" CONNECTION LIMIT {CONNECTIONS_MAX} PASSWORD '{password}'"
    )
    settings = {**SETTINGS, **LIMITS}
    if await connection.fetchval("SELECT count(*) FROM pg_settings WHERE name = $1", _WHOLE):
        settings[_WHOLE] = f"{TRANSACTION_S}s"
    await limit(connection, foreign, settings)
    await connection.execute(f'REVOKE CONNECT, TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
    await connection.execute(f'GRANT CONNECT ON DATABASE "{database}" TO {foreign}')


_WHOLE = "transaction_timeout"  # since PostgreSQL 17


async def _make_database(connection: Any, readers: str, role: str) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", readers):
        await connection.execute(
            f'CREATE DATABASE "{readers}" TEMPLATE template0 CONNECTION LIMIT {CONNECTIONS_MAX}'
        )
        await connection.execute(f'REVOKE ALL ON DATABASE "{readers}" FROM PUBLIC')
    await connection.execute(f'GRANT CONNECT ON DATABASE "{readers}" TO {role}')


async def _ways(connection: Any) -> list[Way]:
    """By its socket, or by TCP if sockets ask for no password."""
    sockets, port, listens = await connection.fetchrow(
        "SELECT current_setting('unix_socket_directories'), current_setting('port'),"
        " current_setting('listen_addresses') <> ''"
    )
    folders = [folder.strip() for folder in sockets.split(",") if folder.strip()]
    return [Way(host, port) for host in (*folders, *(["127.0.0.1"] if listens else []))]


async def _lead_to(
    inside: Any, ways: list[Way], database: str, foreign: str, password: str, role: str
) -> None:
    """Use the first way by which the reader can read its tables."""
    await inside.execute("DROP USER MAPPING IF EXISTS FOR PUBLIC SERVER roost")
    await inside.execute(
        "CREATE USER MAPPING FOR PUBLIC SERVER roost"
        f" OPTIONS (user '{foreign}', password '{password}')"
    )
    why = ""
    for way in ways:
        try:
            async with inside.transaction():
                await _set_way(inside, way, database)
                await inside.execute(_TABLES.format(role=role))
                # As the reader: a connection without a password prompt would be refused.
                await inside.execute(f"SET LOCAL SESSION AUTHORIZATION {role}")
                await inside.execute(f"SELECT FROM {role}.devices LIMIT 1")
            return
        except asyncpg.PostgresError as error:
            why = in_words(error)
    raise Unavailable(f"the database server cannot reach itself with a password: {why}")


async def _set_way(inside: Any, way: Way, database: str) -> None:
    wanted = {
        "host": way.host,
        "port": way.port,
        "dbname": database,
        "fetch_size": "5000",
        "keep_connections": "off",  # else each of their sessions keeps one of Roost's
    }
    known = await inside.fetchval("SELECT srvoptions FROM pg_foreign_server") or []
    there = {option.partition("=")[0] for option in known}
    options = [
        f"{'SET' if name in there else 'ADD'} {name} "
        + str(await inside.fetchval("SELECT quote_literal($1)", value))
        for name, value in wanted.items()
    ]
    await inside.execute(f"ALTER SERVER roost OPTIONS ({', '.join(options)})")


async def lead_again(connection: Any, url: str) -> None:
    """The server may have moved since readers were admitted: another port, another directory."""
    database = str(await connection.fetchval("SELECT current_database()"))
    readers = readers_of(database)
    there = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", readers)
    if not (there and await is_possible(connection)):
        return
    ways = await _ways(connection)
    async with _inside(url, readers) as inside:
        known = await inside.fetchval("SELECT srvoptions FROM pg_foreign_server") or []
        if ways and not any(f"host={w.host}" in known and f"port={w.port}" in known for w in ways):
            await _set_way(inside, ways[0], database)


async def dismiss(connection: Any, url: str, role: str) -> None:
    """Remove everything of this role from the readers' database."""
    readers = readers_of(str(await connection.fetchval("SELECT current_database()")))
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", readers):
        return
    await connection.execute(f'REVOKE ALL ON DATABASE "{readers}" FROM {role}')
    async with _inside(url, readers) as inside:
        await inside.execute(f"DROP SCHEMA IF EXISTS {role} CASCADE")
        await inside.execute(f"DROP OWNED BY {role}")


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a reader's statement may run, a transaction be idle, and a transaction last:
    seconds."""

    statement_s: float = STATEMENT_S
    idle_s: float = IDLE_S
    transaction_s: float = TRANSACTION_S


async def end_late(connection: Any, roles: str, patience: Patience) -> int:
    """End the sessions of readers who take longer; return how many there were.

    Args:
        roles: a regular expression for their names.
    """
    limits = (patience.statement_s, patience.idle_s, patience.transaction_s)
    found = await connection.fetch(_LATE, roles, *limits)
    for row in found:
        log.warning("an SQL login was cut off", role=row["role"], state=row["state"])
    return len(found)

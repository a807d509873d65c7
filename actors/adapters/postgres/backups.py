"""What a backup needs of the database beside its dump.

    async with open_backup(url) as backup:
        confirmed = await backup.hold()      # before the broker's streams are copied
        …
        snapshot = await backup.export()     # for pg_dump; from here on everything is of one moment
        page = await backup.contents(after, 1000)

Why `hold`: a message that the broker still has in the copy may be committed before the dump. After
a restore it is delivered again, and is recognised by its `id` or `ts`, or by its digest. Digests
are kept until the broker has certainly forgotten their messages, which it may do between its copy
and the dump. So from `hold` to `export` the writer forgets none, and a restore goes back to what
was confirmed at `hold` (`undone`).
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import structlog
import trio

from actors.adapters.asyncio_bridge import Bridge, open_bridge
from actors.adapters.postgres import readers, views
from actors.adapters.postgres.wire import connections
from actors.adapters.postgres.wire.pool import PooledCalls
from protocol.errors import SettingsError, in_words

log = structlog.get_logger("roost.backup")

# A backup that was killed holds the digests until then. Those of a busy hour are 100 MB.
HOLD = "15 minutes"
# A snapshot lasts as long as its transaction, and the longest dump may take a day.
SESSION = {"idle_in_transaction_session_timeout": "0", "statement_timeout": "60s"}
CLOSE_WITHIN_S = 5.0
ANALYZE = {"statement_timeout": "0"}

_LOGINS = """
SELECT rolname AS role, rolcanlogin AS may_log_in, {verifier} AS verifier FROM {roles}
WHERE rolname ~ $1 AND to_regnamespace(rolname::text) IS NOT NULL ORDER BY 1
"""
_TABLES = """
SELECT count(*) FROM pg_class c WHERE relnamespace = 'public'::regnamespace
    AND relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""


class Login(msgspec.Struct, frozen=True):
    """An SQL login. `verifier`: what the server stores of its password; None if it does not tell
    Roost."""

    user_id: str
    verifier: str | None
    may_log_in: bool


class Schema(msgspec.Struct, frozen=True):
    """`server`: its major version. `migrations`: numbers."""

    server: int
    migrations: list[int]
    size: int


class Backup:
    """Two connections: one keeps the snapshot, the other one is for everything that is written."""

    def __init__(self, bridge: Bridge, inside: Any, outside: Any) -> None:
        self._bridge = bridge
        self._inside = inside
        self._outside = outside
        self._held: str | None = None

    async def schema(self) -> Schema:
        """Raises `SettingsError` if there is nothing of Roost."""
        with connections.translated():
            return await self._bridge.run(_schema, self._outside)

    async def hold(self) -> dict[str, int]:
        """From now on no digest is forgotten. Returns by session the commits that are confirmed."""
        with connections.translated():
            self._held, confirmed = await self._bridge.run(_hold, self._outside)
        return confirmed

    async def export(self) -> str:
        """Begin a snapshot, and end `hold`. Returns its name, for pg_dump."""

        async def unit() -> str:
            await self._inside.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            name: str = await self._inside.fetchval("SELECT pg_export_snapshot()")
            await _release(self._outside, self._held)
            return name

        with connections.translated():
            return await self._bridge.run(unit)

    async def contents(self, after: bytes, limit: int) -> list[bytes]:
        """Contents that the media library must have at the snapshot, by their sha256."""

        async def unit() -> list[bytes]:
            rows = await self._inside.fetch(
                "SELECT DISTINCT sha256 FROM media WHERE sha256 > $1 ORDER BY sha256 LIMIT $2",
                after,
                limit,
            )
            return [row["sha256"] for row in rows]

        with connections.translated():
            return await self._bridge.run(unit)

    async def logins(self) -> list[Login]:
        with connections.translated():
            return await self._bridge.run(_logins, self._inside)

    async def close(self) -> None:
        """asyncio-flavored."""
        try:
            await asyncio.wait_for(_release(self._outside, self._held), CLOSE_WITHIN_S)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.debug("the database is away at the end of a backup", error=in_words(error))
        self._inside.terminate()
        self._outside.terminate()


async def _schema(connection: Any) -> Schema:
    if await connection.fetchval("SELECT to_regclass('public.migrations') IS NULL"):
        raise SettingsError("the database has nothing of Roost")
    rows = await connection.fetch("SELECT number FROM public.migrations ORDER BY 1")
    return Schema(
        server=connection.get_server_version().major,
        migrations=[row["number"] for row in rows],
        size=await connection.fetchval("SELECT pg_database_size(current_database())"),
    )


async def _hold(connection: Any) -> tuple[str | None, dict[str, int]]:
    """Its id, and by session the commits that are confirmed."""
    held = None
    if await _can_hold(connection):
        await connection.execute("DELETE FROM backups WHERE until < now()")
        held = await connection.fetchval(
            "INSERT INTO backups (id, until)"
            f" VALUES (gen_random_uuid(), now() + interval '{HOLD}') RETURNING id::text"
        )
    rows = await connection.fetch("SELECT session, confirmed_no FROM sessions_confirmed")
    return held, {row["session"]: row["confirmed_no"] for row in rows}


async def _release(connection: Any, held: str | None) -> None:
    if held is not None:
        await connection.execute("DELETE FROM backups WHERE id = $1::text::uuid", held)


async def _can_hold(connection: Any) -> bool:
    """A database of an earlier version is backed up, too; its service knows of no backups."""
    return bool(await connection.fetchval("SELECT to_regclass('public.backups') IS NOT NULL"))


async def _logins(connection: Any) -> list[Login]:
    is_told = await connection.fetchval("SELECT has_table_privilege('pg_authid', 'SELECT')")
    asked = _LOGINS.format(
        verifier="rolpassword" if is_told else "NULL::text",
        roles="pg_authid" if is_told else "pg_roles",
    )
    rows = await connection.fetch(asked, views.ROLES)
    return [Login(views.user_of(row["role"]), row["verifier"], row["may_log_in"]) for row in rows]


def undone(confirmed: dict[str, int]) -> str:
    """Statements after a restore of the broker's streams: what was confirmed after they were copied
    is in doubt again."""
    known = json.dumps(confirmed).replace("'", "''")
    return (
        "UPDATE public.sessions_confirmed s SET confirmed_no ="
        f" least(confirmed_no, coalesce(('{known}'::jsonb ->> session)::bigint, 0));\n"
        # The snapshot was taken while it was held.
        "DO $$ BEGIN IF to_regclass('public.backups') IS NOT NULL THEN"
        " DELETE FROM public.backups; END IF; END $$;\n"
    )


class RestoreCalls(PooledCalls):
    """Into a new database. Not part of the store's port: only a restore needs them."""

    async def has_tables(self) -> bool:
        async def unit(connection: Any) -> bool:
            return bool(await connection.fetchval(_TABLES))

        return await self._work(unit)

    async def server_major(self) -> int:
        async def unit(connection: Any) -> int:
            major: int = connection.get_server_version().major
            return major

        return await self._work(unit)

    async def analyze(self) -> None:
        """A restored database has no statistics, and its first plans would be bad ones."""

        async def unit() -> None:
            connection = await connections.connect(self._url, **ANALYZE)
            try:
                await connection.execute("ANALYZE")
            finally:
                await connection.close(timeout=connections.CLOSE_TIMEOUT_S)  # noqa: ASYNC102 (asyncio)

        await self._cross(unit)

    async def readmit(self, login: Login) -> bool:
        """Create an SQL login with its earlier password. False if this server does not let Roost
        do that."""

        async def unit(connection: Any) -> bool:
            if login.verifier is None or not await readers.is_possible(connection):
                return False
            await views.grant(connection, self._url, login.user_id, secrets.token_urlsafe(24))
            role = views.role_of(login.user_id)
            quoted = await connection.fetchval("SELECT quote_literal($1)", login.verifier)
            may = "LOGIN" if login.may_log_in else "NOLOGIN"
            await connection.execute(f"ALTER ROLE {role} {may} PASSWORD {quoted}")
            return True

        return await self._work(unit, within_s=views.WITHIN_S)


@asynccontextmanager
async def open_backup(url: str) -> AsyncIterator[Backup]:
    """Raises `Unavailable` if the database does not answer."""
    async with open_bridge("backup") as bridge:
        with connections.translated():
            inside, outside = await bridge.run(_connect, url)
        backup = Backup(bridge, inside, outside)
        try:
            yield backup
        finally:
            with trio.CancelScope(shield=True):  # bounded by CLOSE_TIMEOUT_S, and the deadlines
                await bridge.run(backup.close)


async def _connect(url: str) -> tuple[Any, Any]:
    with ExitStack() as undo:
        inside = await connections.connect(url, **SESSION)
        undo.callback(inside.terminate)
        outside = await connections.connect(url, **SESSION)
        undo.pop_all()
    return inside, outside

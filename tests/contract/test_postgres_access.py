"""Who may connect to the database of a data directory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trio

from actors.adapters.postgres.store import open_store
from roost.embedded.postgres import EmbeddedPostgres
from roost.embedded.postgres_access import RULES
from roost.settings import Bind
from tests.contract.test_store import Home
from tests.unit.makers import USER

SQL = Bind("127.0.0.1", 0)


@asynccontextmanager
async def running(
    folder: Path, password: str = "first", sql: Bind | None = None
) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder / "postgres", folder / "log", password, sql)
    process = await server.start()
    try:
        yield server
    finally:
        with trio.CancelScope(shield=True):
            await server.stop(process)


async def knock(url: str, **given: Any) -> str:
    """ "", or the error of a connection with these."""

    async def knock() -> str:
        try:
            connection = await asyncpg.connect(url, **given)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return type(error).__name__
        await connection.fetchval("SELECT 1")
        await connection.close()
        return ""

    return await trio.to_thread.run_sync(asyncio.run, knock())


async def test_nobody_comes_in_without_the_password(tmp_path: Path) -> None:
    """Everybody who could reach the socket was the superuser."""
    async with running(tmp_path) as server:
        assert await knock(server.url) == ""
        assert await knock(server.url, password="other") == "InvalidPasswordError"
        assert await knock(server.url, user="somebody") == "InvalidAuthorizationSpecificationError"
        assert (tmp_path / "postgres" / RULES).stat().st_mode & 0o077 == 0
        assert not list(tmp_path.glob("*password*"))


async def test_a_database_of_an_earlier_version_gets_the_password_and_a_lost_one_is_replaced(
    tmp_path: Path,
) -> None:
    rules = tmp_path / "postgres" / RULES
    async with running(tmp_path):
        pass
    rules.write_text("local all all trust\n")
    async with running(tmp_path, "second") as server:
        assert await knock(server.url) == ""
        assert await knock(server.url, password="first") == "InvalidPasswordError"
    async with running(tmp_path, "third") as server:  # secrets.json was deleted
        assert await knock(server.url) == ""
        before = rules.stat().st_mtime_ns
    async with running(tmp_path, "third"):
        assert rules.stat().st_mtime_ns == before


async def test_readers_alone_come_over_tcp(tmp_path: Path) -> None:
    async with running(tmp_path, sql=SQL) as server:
        port = int(server.url.rpartition("=")[2])
        async with open_store(server.url) as store:
            await store.migrate()
            await Home(store).furnish()
            login = await store.grant_views(USER, "pw")
        there = f"postgresql://{login.role}:pw@127.0.0.1:{port}/{login.database}"
        assert login.server == f"127.0.0.1:{port}"
        assert await knock(there) == ""
        refused = "InvalidAuthorizationSpecificationError"
        assert await knock(there, database="postgres") == refused
        for database in ("postgres", login.database):
            assert await knock(there, user="roost", password="first", database=database) == refused
    async with running(tmp_path):  # now there is no way in by TCP
        assert await knock(there) == "ConnectionRefusedError"


async def test_tables_of_readers_follow_a_server_that_moved(tmp_path: Path) -> None:
    async with running(tmp_path, sql=SQL) as server, open_store(server.url) as store:
        await store.migrate()
        await Home(store).furnish()
        login = await store.grant_views(USER, "pw")

    async def count(url: str) -> int:
        async def ask() -> int:
            given = {"user": login.role, "password": "pw", "database": login.database}
            connection = await asyncpg.connect(url, **given)
            try:
                return int(await connection.fetchval("SELECT count(*) FROM devices"))
            finally:
                await connection.close()

        return await trio.to_thread.run_sync(asyncio.run, ask())

    async with running(tmp_path) as server, open_store(server.url) as store:  # another port
        with pytest.raises(asyncpg.PostgresError):
            await count(server.url)
        await store.lead_readers()
        assert await count(server.url) == 1

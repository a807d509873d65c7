"""The database for commands that need no service: by URL, or that of a data directory.

    with_store(url, data_dir, work)

The database of a data directory may be running under `roost up`; then that server is used.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from actors.adapters.postgres.store import PostgresStore, open_store
from protocol.errors import SettingsError
from roost import logs
from roost.embedded import data_dir
from roost.embedded.child import Keeper
from roost.embedded.postgres import EmbeddedPostgres, url_of
from roost.interrupting import run
from roost.settings import check_database_url


def with_store(
    url: str | None, path: Path, work: Callable[[PostgresStore], Awaitable[None]]
) -> None:
    """Do the work of a command on the store."""
    logs.configure("warning", "auto")
    if url is not None:
        check_database_url(url)

    async def main() -> None:
        async with database_url(url, path) as found, open_store(found) as store:
            await work(store)

    run(main)


@asynccontextmanager
async def database_url(url: str | None, path: Path) -> AsyncIterator[str]:
    """A URL that answers while the block runs."""
    if url is not None:
        yield url
        return
    if is_running(path):
        yield url_of(path.resolve() / "postgres")
        return
    with data_dir.locked(path) as locked:
        password = data_dir.read_secrets(locked).postgres
        server = EmbeddedPostgres(locked / "postgres", locked / "postgres.log", password)
        async with trio.open_nursery() as nursery:
            await nursery.start(Keeper(server, random.Random()).run)
            yield server.url
            nursery.cancel_scope.cancel()


def is_running(path: Path) -> bool:
    """Whether `roost up` runs on this data directory. Raises `SettingsError` if it is half made."""
    data_dir.check_whole(path)
    return (path / "postgres" / "postmaster.pid").exists() and _is_busy(path)


def _is_busy(path: Path) -> bool:
    try:
        with data_dir.locked(path):
            return False
    except SettingsError:
        return True

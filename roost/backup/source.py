"""Where a backup comes from: a running service, a data directory at rest, or an own database."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import trio

from actors.adapters.nats.lines import NatsAccess
from protocol.errors import SettingsError
from roost.embedded import broker_config, data_dir
from roost.embedded.broker import EmbeddedBroker
from roost.embedded.broker_store import size_of
from roost.embedded.child import Keeper, Server
from roost.embedded.disk import ROOM_BYTES, used_bytes
from roost.embedded.postgres import EmbeddedPostgres, url_of
from roost.offline import is_running

# Left on the disk of a backup, whatever else is on it.
KEEP_BYTES = 256 << 20


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """`broker`: None if it is not Roost's. `keep`: bytes of this disk that must stay free."""

    database_url: str
    data_dir: Path
    broker: NatsAccess | None = None
    keep: int = KEEP_BYTES


@asynccontextmanager
async def open_source(url: str | None, path: Path) -> AsyncIterator[Source]:
    """What answers while the block runs.

    Raises:
        SettingsError: there is nothing of Roost.
    """
    if url is not None:
        yield Source(database_url=url, data_dir=path)
        return
    if not (path / "postgres" / "PG_VERSION").exists():
        raise SettingsError(f"{path} has no data of Roost: check --data-dir and --database-url")
    path = path.resolve()
    if is_running(path):
        running = broker_config.running(path / "broker", data_dir.read_secrets(path))
        keep = KEEP_BYTES + 2 * ROOM_BYTES
        keep += max(0, running.size - used_bytes(path / "broker" / "jetstream"))
        url = url_of(path / "postgres")
        yield Source(database_url=url, data_dir=path, broker=running.access, keep=keep)
        return
    async with _at_rest(path) as source:
        yield source


@asynccontextmanager
async def _at_rest(path: Path) -> AsyncIterator[Source]:
    """Its servers are started, where nobody else reaches them."""
    with data_dir.locked(path) as locked:
        secrets = data_dir.read_secrets(locked)
        postgres = EmbeddedPostgres(locked / "postgres", locked / "postgres.log", secrets.postgres)
        async with AsyncExitStack() as servers:
            await servers.enter_async_context(kept(postgres))
            access = None
            if (locked / "broker" / "jetstream").exists():
                nats = broker_at_rest(locked, secrets)
                await servers.enter_async_context(kept(nats))
                access = nats.access
            yield Source(database_url=postgres.url, data_dir=locked, broker=access)


def broker_at_rest(
    path: Path, secrets: data_dir.Secrets, size: int | None = None
) -> EmbeddedBroker:
    """On a port that nobody knows; nobody answers logins."""
    return EmbeddedBroker(
        path / "broker",
        path / "broker.log",
        "127.0.0.1",
        0,
        secrets,
        size=size_of(path, None) if size is None else size,
    )


@asynccontextmanager
async def kept(server: Server) -> AsyncIterator[None]:
    """A server that runs while the block runs."""
    async with trio.open_nursery() as nursery:
        await nursery.start(Keeper(server, random.Random()).run)
        yield
        nursery.cancel_scope.cancel()

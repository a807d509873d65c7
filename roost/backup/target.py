"""The file that a backup is written to: private, and complete or not there.

    async with open_target(path, force=False, keep=bytes_to_leave) as target:
        await target.add(…)
        await target.finish(manifest)

It is written beside its place as `FILE.part`, synced and renamed. `-` is standard output.
"""

import fcntl
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

import trio

from actors.adapters.disk.media_files import sync_folder
from protocol.errors import SettingsError, in_words
from roost.backup.archive import PART_BYTES, BackupFailed, Manifest, Writer
from roost.backup.progress import size_in_words

T = TypeVar("T")

STDOUT = Path("-")


class Target:
    """An archive that is written from Trio; each call writes in a thread."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._parts = bytearray()

    async def do(self, work: Callable[..., T], *args: object) -> T:
        """Raises `BackupFailed` if it cannot be written."""
        try:
            return await trio.to_thread.run_sync(work, *args)
        except OSError as error:
            raise BackupFailed(f"the backup cannot be written: {in_words(error)}") from None

    async def add(self, name: str, data: bytes) -> None:
        await self.do(self.writer.add_whole, name, data)

    async def add_piece(self, what: str, data: bytes) -> None:
        """More of something; `end_pieces` ends it."""
        self._parts += data
        if len(self._parts) >= PART_BYTES:
            await self.end_pieces(what)

    async def end_pieces(self, what: str) -> None:
        """Write what is left. Something without any pieces is there, too, and empty."""
        data = bytes(self._parts)
        self._parts.clear()
        if data or what not in self.writer.sums:
            await self.do(self.writer.add_part, what, data)

    async def finish(self, manifest: Manifest) -> str:
        """The sum of the whole file."""
        return await self.do(self.writer.finish, manifest)


@asynccontextmanager
async def open_target(path: Path, *, force: bool, keep: int) -> AsyncIterator[Target]:
    """At the end of the block the file is there. If the block raises, nothing is.

    Args:
        force: replace a file.
        keep: how many bytes of its disk must stay free.

    Raises:
        SettingsError: there is a file already, or it cannot be written there.
    """
    if path == STDOUT:
        if sys.stdout.isatty():
            raise SettingsError("standard output is a terminal: redirect it, or name a file")
        yield Target(await trio.to_thread.run_sync(Writer, sys.stdout.buffer))
        return
    if not force and path.exists():
        raise SettingsError(f"{path} exists: choose another name, or give --force")
    draft = path.with_name(path.name + ".part")
    out = await trio.to_thread.run_sync(_open, draft)
    is_complete = False
    try:
        room = _Room(out, keep)
        target = Target(Writer(out, room.check))
        yield target
        await target.do(_keep, out, draft, path)
        is_complete = True
    finally:
        if not is_complete:
            draft.unlink(missing_ok=True)
        with suppress(OSError):  # what could not be written was told already
            out.close()


class _Room:
    def __init__(self, out: IO[bytes], keep: int) -> None:
        self._out = out
        self._keep = keep

    def check(self, size: int) -> None:
        """Raises `BackupFailed` if the disk has no room for that many bytes."""
        disk = os.fstatvfs(self._out.fileno())
        free = disk.f_bavail * disk.f_frsize
        if free < self._keep + size:
            raise BackupFailed(
                f"no room for the backup: {size_in_words(free)} are free on its disk, and"
                f" {size_in_words(self._keep)} must stay free"
            )


def _open(draft: Path) -> IO[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        out = os.fdopen(os.open(draft, flags, 0o600), "wb")
    except OSError as error:
        raise SettingsError(f"{draft} cannot be written: {in_words(error)}") from None
    try:
        fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it until now may have finished: then this is a complete backup.
        if not (draft.exists() and os.path.samestat(os.fstat(out.fileno()), draft.stat())):
            raise BlockingIOError
        os.fchmod(out.fileno(), 0o600)  # it may be left from an earlier try
        out.truncate(0)
    except OSError as error:
        out.close()
        if isinstance(error, BlockingIOError):
            raise SettingsError(f"another backup writes {draft}") from None
        raise SettingsError(f"{draft} cannot be written: {in_words(error)}") from None
    return out


def _keep(out: IO[bytes], draft: Path, path: Path) -> None:
    os.fsync(out.fileno())
    draft.rename(path)
    sync_folder(path.absolute().parent)

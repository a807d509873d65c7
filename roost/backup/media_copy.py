"""The contents of the media library, into an archive and back.

They are copied before the dump, because one may be deleted after it; and those that came meanwhile
after it.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import trio

from actors.adapters.disk.media_files import place_of
from roost.backup.archive import CHUNK_BYTES, MEDIA, BackupFailed, Writer
from roost.backup.reading import Contents, read

Tell = Callable[[int], None]


class LibraryCopy:
    """Copies contents. All methods block, in a thread of Trio's.

    Attributes:
        damaged: contents that are not what their name says. They are copied as they are.
        missing: contents that should have been there.
    """

    def __init__(self, folder: Path, writer: Writer, tell: Tell) -> None:
        self.damaged: list[str] = []
        self.missing: list[str] = []
        self._folder = folder
        self._writer = writer
        self._tell = tell
        self._there: set[bytes] = set()  # 32 bytes for each content

    @property
    def count(self) -> int:
        return len(self._there)

    def copy_all(self) -> None:
        for sha256 in contents_of(self._folder):
            self._copy(sha256)

    def copy_missing(self, wanted: list[bytes]) -> None:
        for sha256 in wanted:
            if sha256 not in self._there and not self._copy(sha256):
                self.missing.append(sha256.hex())

    def _copy(self, sha256: bytes) -> bool:
        """False if it is not there: it may be deleted at any time."""
        try:
            file = place_of(self._folder, sha256).open("rb")
        except FileNotFoundError:
            return False
        with file:
            self._write(file, sha256)
        self._there.add(sha256)
        return True

    def _write(self, file: IO[bytes], sha256: bytes) -> None:
        size = os.fstat(file.fileno()).st_size
        found = hashlib.sha256()
        self._writer.begin(f"{MEDIA}/{sha256.hex()}", size)
        while size:
            trio.from_thread.check_cancelled()
            data = file.read(min(CHUNK_BYTES, size))
            if not data:
                raise BackupFailed(f"media content {sha256.hex()} became shorter meanwhile")
            size -= len(data)
            found.update(data)
            self._writer.write(data)
            self._tell(len(data))
        if found.digest() != sha256:
            self.damaged.append(sha256.hex())


def contents_of(folder: Path) -> Iterator[bytes]:
    for shard in sorted(folder.glob("[0-9a-f][0-9a-f]")):
        for file in sorted(shard.iterdir()):
            try:
                sha256 = bytes.fromhex(file.name)
            except ValueError:
                continue  # files that a person put there are not ours
            if len(sha256) == 32 and file.name == sha256.hex() and file.is_file():
                yield sha256


def put_all(folder: Path, contents: Contents, file: IO[bytes], tell: Tell) -> None:
    """Write all contents. Blocks, in a thread of Trio's."""
    for name, where in contents.media:
        to = place_of(folder, bytes.fromhex(name))
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as out:
            for data in read(file, where):
                trio.from_thread.check_cancelled()
                out.write(data)
                tell(len(data))
            out.flush()
            os.fsync(out.fileno())

"""The file of a backup: a tar whose members have this order, so that it is written in one go.

    format.json            what this file is
    secrets.json           the secrets of the data directory, if there is one
    media/SHA256           each content of the media library
    broker/STREAM/000001   a snapshot of each of the broker's streams, in parts
    database/000001        a dump in pg_dump's custom format, in parts
    media/SHA256           contents that came meanwhile
    manifest.json          what there is (`Manifest`)
    sha256                 of everything before this member

Parts, because a member begins with its size, and nobody knows the size of a dump before its end.
Joined they are what pg_dump wrote. Names and sizes fit into plain headers (ustar, for sizes above
8 GiB GNU's): no member has a second header.
"""

import hashlib
import re
import tarfile
from collections.abc import Callable
from typing import IO, Any

import msgspec

from protocol import codec
from protocol.errors import RoostError

FORMAT = 1
MARK, SECRETS, MANIFEST, SUM = "format.json", "secrets.json", "manifest.json", "sha256"
DATABASE, BROKER, MEDIA = "database", "broker", "media"
# Everything that a member may be named: a name is never used as a path.
NAME = re.compile(
    rf"format\.json|secrets\.json|manifest\.json|sha256|{MEDIA}/[0-9a-f]{{64}}"
    rf"|{DATABASE}/[0-9]{{6}}|{BROKER}/[$A-Za-z0-9_-]{{1,64}}/[0-9]{{6}}"
)
PART_BYTES = 4 << 20
CHUNK_BYTES = 1 << 20  # of a content
BLOCK = tarfile.BLOCKSIZE
END = b"\0" * 2 * BLOCK


class BackupFailed(RoostError):
    """A backup, or a restore, that cannot be completed: one line, exit status 1."""


class Mark(msgspec.Struct, frozen=True):
    """The first member. It can be read by every later version."""

    format: int


class Sum(msgspec.Struct, frozen=True):
    """Of all parts of something, joined."""

    size: int
    sha256: str


class Stream(msgspec.Struct, frozen=True):
    """A stream of the broker, as JetStream describes it."""

    config: dict[str, Any]
    state: dict[str, Any]


class SqlLogin(msgspec.Struct, frozen=True):
    """The SQL login of a user. `verifier`: what PostgreSQL stores of its password."""

    user_id: str
    verifier: str | None
    may_log_in: bool


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds.

    Attributes:
        roost: the version that made it.
        began_at: everything that was acknowledged before is in it.
        postgres: the major version of the database's server.
        dumped_by: the major version of the `pg_dump`.
        migrations: numbers of those that the database had.
        sums: by name: `secrets.json`, `database`, `broker/STREAM`.
        contents: how many contents of the media library there are.
        damaged: contents whose bytes are not what their name says, as in the library.
        missing: contents that the library did not have, although the database names them.
        streams: of the broker, by name.
        waiting: messages in them that Roost had not stored yet, at most.
        confirmed: by session, the commit up to which the broker had certainly forgotten what Roost
            acknowledged, before its streams were copied.
    """

    roost: str
    began_at: str
    postgres: int
    dumped_by: int
    migrations: list[int]
    sums: dict[str, Sum]
    contents: int = 0
    damaged: list[str] = []
    missing: list[str] = []
    streams: dict[str, Stream] = {}
    waiting: int = 0
    confirmed: dict[str, int] = {}
    sql_logins: list[SqlLogin] = []


class Joined:
    """The sum of parts that come one by one."""

    def __init__(self) -> None:
        self.size = 0
        self.parts = 0
        self._hash = hashlib.sha256()

    def add(self, data: bytes) -> None:
        self.size += len(data)
        self._hash.update(data)

    @property
    def sum(self) -> Sum:
        return Sum(self.size, self._hash.hexdigest())


class Writer:
    """Writes the members. All methods block.

    Args:
        out: a file or a pipe.
        check_room: called with the size of what comes next; raises `BackupFailed` if the disk
            has no room for that.
    """

    def __init__(self, out: IO[bytes], check_room: Callable[[int], None] = lambda size: None):
        self.size = 0
        self._out = out
        self._check_room = check_room
        self._hash = hashlib.sha256()
        self._sums: dict[str, Joined] = {}
        self._left = self._padding = 0  # of a content
        self.add(MARK, codec.encode(Mark(FORMAT)))

    def add(self, name: str, data: bytes) -> None:
        """A whole member."""
        self._check_room(len(data))
        self._write(header_of(name, len(data)) + data + bytes(_padding(len(data))))

    def add_whole(self, name: str, data: bytes) -> None:
        """A member that is the whole of something."""
        self.add(name, data)
        self._joined(name).add(data)

    def add_part(self, what: str, data: bytes) -> None:
        """The next part of something."""
        joined = self._joined(what)
        joined.parts += 1
        joined.add(data)
        self.add(f"{what}/{joined.parts:06}", data)

    def begin(self, name: str, size: int) -> None:
        """A member whose content follows with `write`."""
        self._check_room(size)
        self._left, self._padding = size, _padding(size)
        self._write(header_of(name, size))

    def write(self, data: bytes) -> None:
        self._left -= len(data)
        assert self._left >= 0, "more than was announced"
        self._write(data if self._left else data + bytes(self._padding))

    @property
    def sums(self) -> dict[str, Sum]:
        return {name: joined.sum for name, joined in self._sums.items()}

    def finish(self, manifest: Manifest) -> str:
        """The last members; returns the sum of the whole file."""
        self.add(MANIFEST, codec.encode(manifest))
        self.add(SUM, self._hash.hexdigest().encode())
        self._write(END)
        self._out.flush()
        return self._hash.hexdigest()

    def _joined(self, name: str) -> Joined:
        return self._sums.setdefault(name, Joined())

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._hash.update(data)
        self.size += len(data)


def header_of(name: str, size: int) -> bytes:
    """The only header that a member of this name and size has."""
    assert NAME.fullmatch(name), name
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    header = info.tobuf(tarfile.GNU_FORMAT)
    assert len(header) == BLOCK
    return header


def _padding(size: int) -> int:
    """A member ends with the end of a block."""
    return -size % BLOCK

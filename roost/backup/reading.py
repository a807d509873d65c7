"""Reads the file of a backup: checks everything, and says where what is (`roost.backup.archive`).

    with path.open("rb") as file:
        contents = check(file, tell)           # raises before anything is used
        for data in contents.parts(file, "database"): …

Nothing in the file is trusted before the sum at its end was right, and no name in it is ever a
path.
"""

import hashlib
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import IO, TypeVar

import msgspec

from protocol import codec
from protocol.errors import BadPayload
from roost.backup.archive import (
    BLOCK,
    CHUNK_BYTES,
    END,
    FORMAT,
    MARK,
    MEDIA,
    NAME,
    SUM,
    BackupFailed,
    Joined,
    Manifest,
    Mark,
    header_of,
)

# A manifest names damaged and missing contents, some 70 bytes each.
MANIFEST_MAX = 256 << 20
MARK_MAX = 4096
_marks = msgspec.json.Decoder(Mark)
_manifests = msgspec.json.Decoder(Manifest)

T = TypeVar("T")
Place = tuple[int, int]  # where in the file, and how many bytes


class Contents(msgspec.Struct, frozen=True):
    """A file that was checked: its manifest, and where everything is."""

    manifest: Manifest
    places: dict[str, list[Place]]
    media: list[tuple[str, Place]]  # by sha256
    size: int

    def parts(self, file: IO[bytes], what: str, size: int = CHUNK_BYTES) -> Iterator[bytes]:
        """All of it, in pieces of at most this size. Blocks."""
        for place in self.places.get(what, ()):
            yield from read(file, place, size)


def read(file: IO[bytes], place: Place, size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """What is there, in pieces of at most this size."""
    at, left = place
    while left:
        file.seek(at)
        data = file.read(min(size, left))
        if not data:
            raise _cut()
        at, left = at + len(data), left - len(data)
        yield data


def check(file: IO[bytes], tell: Callable[[int], None]) -> Contents:
    """Read all of it. Blocks; `tell` is called with the bytes that were read, again and again.

    Raises:
        BackupFailed: it is no backup, of a later version, cut, or damaged anywhere.
        OSError: it cannot be read.
    """
    return _Check(file, tell).run()


class _Check:
    def __init__(self, file: IO[bytes], tell: Callable[[int], None]) -> None:
        self._file = file
        self._tell = tell
        self._at = 0
        self._hash = hashlib.sha256()
        self._places: dict[str, list[Place]] = defaultdict(list)
        self._joined: dict[str, Joined] = defaultdict(Joined)
        self._media: list[tuple[str, Place]] = []
        self._wrong: set[str] = set()  # contents that are not what their name says

    def run(self) -> Contents:
        self._check_mark()
        name, manifest = "", b""
        while name != SUM:
            before = self._hash.hexdigest()
            name, size = self._next()
            match name.partition("/")[0]:
                case "sha256":
                    self._check_end(before, self._whole(size, MARK_MAX))
                case "manifest.json":
                    manifest = self._whole(size, MANIFEST_MAX)
                case "media":
                    self._content(name, size)
                case _:
                    self._part(name, size)
        return self._matched(_decoded(manifest, _manifests))

    def _matched(self, manifest: Manifest) -> Contents:
        found = {name: joined.sum for name, joined in self._joined.items()}
        if found != manifest.sums or self._wrong != set(manifest.damaged):
            raise BackupFailed("the backup does not hold what its manifest says")
        return Contents(manifest, dict(self._places), self._media, self._at)

    def _check_mark(self) -> None:
        try:
            name, size = self._next()
        except BackupFailed:
            name, size = "", 0
        if name != MARK or size > MARK_MAX:
            raise BackupFailed("it is not a backup of Roost")
        mark = _decoded(self._whole(size, MARK_MAX), _marks)
        if mark.format != FORMAT:
            raise BackupFailed(
                f"the backup has format {mark.format}, which this version of Roost does not know:"
                " install the version that made it, or a later one"
            )

    def _check_end(self, wanted: str, told: bytes) -> None:
        if told != wanted.encode():
            raise BackupFailed("the backup is damaged: its checksum is wrong")
        if self._file.read(len(END)) != END or self._file.read(1):
            raise BackupFailed("the backup is damaged at its end")
        self._at += len(END)
        self._tell(self._at)

    def _next(self) -> tuple[str, int]:
        """The name and size of the next member."""
        header = self._take(BLOCK)
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError, ValueError):
            raise BackupFailed("the backup is damaged") from None
        if info.type != tarfile.REGTYPE or info.size < 0 or not NAME.fullmatch(info.name):
            raise BackupFailed("the file has members that a backup of Roost does not have")
        if header != header_of(info.name, info.size):
            raise BackupFailed("the backup is damaged")
        return info.name, info.size

    def _part(self, name: str, size: int) -> None:
        """Parts come in order, each once."""
        what, slash, number = name.rpartition("/")
        what = what if slash else name
        joined = self._joined[what]
        joined.parts += 1
        if (slash and int(number) != joined.parts) or (not slash and joined.parts > 1):
            raise BackupFailed(f"the backup is damaged: parts of {what} are missing")
        self._places[what].append((self._at, size))
        for data in self._pieces(size):
            joined.add(data)

    def _content(self, name: str, size: int) -> None:
        sha256 = name.removeprefix(f"{MEDIA}/")
        self._media.append((sha256, (self._at, size)))
        found = hashlib.sha256()
        for data in self._pieces(size):
            found.update(data)
        if found.hexdigest() != sha256:
            self._wrong.add(sha256)

    def _whole(self, size: int, most: int) -> bytes:
        if size > most:
            raise BackupFailed("the backup is damaged: a member is too large")
        return b"".join(self._pieces(size))

    def _pieces(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            data = self._take(min(CHUNK_BYTES, left))
            left -= len(data)
            yield data
        if any(self._take(-size % BLOCK)):
            raise BackupFailed("the backup is damaged")

    def _take(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise _cut()
        self._at += size
        self._hash.update(data)
        self._tell(self._at)
        return data


def _cut() -> BackupFailed:
    return BackupFailed("the backup is cut off: it was not completed, or not copied completely")


def _decoded(data: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    try:
        return codec.decode_as(decoder, data)
    except BadPayload:
        raise BackupFailed("the backup is damaged: what it says of itself cannot be read") from None

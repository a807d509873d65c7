"""The files of media: a directory on a disk, used from threads.

async with open_media_files(Path("data/media")) as files:
    async with files.draft() as draft:
        await draft.write(chunk)
        sha256 = await draft.seal()
        async with files.turn(sha256.hex()):
            await draft.keep()

ab/abcdef…   a content, named by its sha256
incoming/    drafts; the writing process holds a lock, so one without a lock is abandoned
doubtful/    empty files: contents that must be checked for an owner
locks/       the turns of the processes that share the directory
"""

import errno
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import structlog
import trio

from protocol.errors import Busy, NotFound, SettingsError, in_words
from protocol.problems.detail import Detail

T = TypeVar("T")

log = structlog.get_logger("roost.media")

# Blocking calls at once: more do not make a disk faster, and each holds a chunk of about 256 KiB.
THREADS = 4
# Left free: the database is on the same disk, and cannot work without room.
RESERVE_BYTES = 128 << 20
FULL_RETRY_S = 60
FAILED_RETRY_S = 10
LOOK_AGAIN_S = 0.05  # to check whether another process has ended its turn
_FULL = (errno.ENOSPC, errno.EDQUOT)


class _DiskDraft:
    """A file in `incoming`, which only this process uses. All methods block, so they run in
    threads."""

    def __init__(self, folder: Path, reserve: int) -> None:
        self.size = 0
        self.sha256 = b""
        self._folder = folder
        self._reserve = reserve
        self._hash = hashlib.sha256()
        self._is_kept = False
        self._handle, name = tempfile.mkstemp(dir=folder / "incoming")
        self._path = Path(name)
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, data: bytes) -> None:
        disk = os.fstatvfs(self._handle)
        if disk.f_bavail * disk.f_frsize < self._reserve + len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = memoryview(data)
        while left:
            left = left[os.write(self._handle, left) :]
        self._hash.update(data)
        self.size += len(data)

    def seal(self) -> bytes:
        os.fsync(self._handle)
        self.sha256 = self._hash.digest()
        return self.sha256

    def keep(self) -> None:
        place = place_of(self._folder, self.sha256)
        with suppress(FileNotFoundError):
            if place.stat().st_size == self.size:
                return
        place.parent.mkdir(mode=0o700, exist_ok=True)
        self._path.rename(place)
        self._is_kept = True
        sync_folder(place.parent)
        sync_folder(self._folder)  # the directory itself may be new

    def close(self) -> None:
        if not self._is_kept:
            self._path.unlink(missing_ok=True)
        os.close(self._handle)


class DiskDraft:
    """See `actors.ports.media.MediaDraft`."""

    def __init__(self, draft: _DiskDraft, do: Callable[..., Any]) -> None:
        self._draft = draft
        self._do = do

    @property
    def size(self) -> int:
        return self._draft.size

    async def write(self, data: bytes) -> None:
        await self._do(self._draft.write, data)

    async def seal(self) -> bytes:
        sha256: bytes = await self._do(self._draft.seal)
        return sha256

    async def keep(self) -> None:
        await self._do(self._draft.keep)


class DiskFiles:
    """See `actors.ports.media.MediaFiles`."""

    def __init__(self, folder: Path, reserve: int) -> None:
        self._folder = folder
        self._reserve = reserve
        self._threads = trio.CapacityLimiter(THREADS)
        self._turns: dict[str, trio.Lock] = {}  # by shard: 4,096 at most

    async def _do(self, work: Callable[..., T], *args: Any) -> T:
        """Run in a thread. It is awaited even when cancelled, so it leaves nothing half done."""
        try:
            return await trio.to_thread.run_sync(work, *args, limiter=self._threads)
        except OSError as error:
            if error.errno in _FULL:
                log.warning("no room for media", folder=str(self._folder))
                raise Busy(Detail("media_no_room"), retry_after_s=FULL_RETRY_S) from error
            log.error("media file failed", error=in_words(error))
            raise Busy(Detail("media_failed"), retry_after_s=FAILED_RETRY_S) from error

    @asynccontextmanager
    async def draft(self) -> AsyncIterator[DiskDraft]:
        draft = await self._do(_DiskDraft, self._folder, self._reserve)
        try:
            yield DiskDraft(draft, self._do)
        finally:
            with trio.CancelScope(shield=True):  # as long as closing and unlinking take
                await self._do(draft.close)

    @asynccontextmanager
    async def turn(self, *keys: str) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            # Always in the same order, so that there is no deadlock.
            for shard in sorted({_shard(key) for key in keys}):
                await held.enter_async_context(self._turns.setdefault(shard, trio.Lock()))
                await held.enter_async_context(self._locked(shard))
            yield

    @asynccontextmanager
    async def _locked(self, shard: str) -> AsyncIterator[None]:
        """The turn among processes. Waiting holds no thread, because the process that has the turn
        needs them. The kernel ends the turn of a process that dies."""
        handle = await self._do(_open_lock, self._folder / "locks" / shard)
        try:
            while not await self._do(_try_lock, handle):  # noqa: ASYNC110 (only polling can tell)
                await trio.sleep(LOOK_AGAIN_S)
            yield
        finally:
            os.close(handle)

    async def read(self, sha256: bytes, start: int, length: int) -> bytes:
        """The file is open only for this call, so a reader that stops leaves nothing to close."""
        found = await self._do(_read, place_of(self._folder, sha256), start, length)
        if found is None:
            log.error("media file is missing", sha256=sha256.hex())
            raise NotFound(Detail("media_content_gone"))
        return found

    async def remove(self, sha256: bytes) -> None:
        await self._do(_unlink, place_of(self._folder, sha256))

    async def doubt(self, sha256: bytes) -> None:
        await self._do(_touch, self._folder / "doubtful" / sha256.hex())

    async def settle(self, sha256: bytes) -> None:
        await self._do(_unlink, self._folder / "doubtful" / sha256.hex())

    async def doubtful(self, age_s: float) -> Sequence[bytes]:
        return await self._do(_older, self._folder / "doubtful", age_s)


@asynccontextmanager
async def open_media_files(folder: Path, reserve: int = RESERVE_BYTES) -> AsyncIterator[DiskFiles]:
    """Open the directory, create it if it is missing, and delete drafts of processes that ended.

    Args:
        reserve: bytes of the disk that are left free.

    Raises:
        SettingsError: it cannot be used.
    """
    try:
        await trio.to_thread.run_sync(_prepare, folder)
    except OSError as error:
        raise SettingsError(f"the directory for media cannot be used: {in_words(error)}") from None
    yield DiskFiles(folder, reserve)


def _prepare(folder: Path) -> None:
    """Create directories, and delete abandoned drafts."""
    for made in (folder, folder / "incoming", folder / "doubtful", folder / "locks"):
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
    for draft in (folder / "incoming").iterdir():
        # A draft may be finished at this moment, or another process may still write it.
        with suppress(FileNotFoundError, BlockingIOError), draft.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()


def _shard(key: str) -> str:
    """One of 4,096: so many lock files, and hardly ever two keys with the same one."""
    return hashlib.sha256(key.encode()).hexdigest()[:3]


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def place_of(folder: Path, sha256: bytes) -> Path:
    """Of a content in a media directory."""
    name = sha256.hex()
    return folder / name[:2] / name


def _read(path: Path, start: int, length: int) -> bytes | None:
    try:
        with path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), length, start)
    except FileNotFoundError:
        return None


def _touch(path: Path) -> None:
    path.touch(mode=0o600)
    sync_folder(path.parent)


def _older(folder: Path, age_s: float) -> list[bytes]:
    until_s = time.time() - age_s
    found = []
    for mark in folder.iterdir():
        # Another process may settle it meanwhile. Files that a person put there are not ours.
        with suppress(FileNotFoundError, ValueError):
            sha256 = bytes.fromhex(mark.name)
            if mark.stat().st_mtime <= until_s:
                found.append(sha256)
    return sorted(found)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make creations and renames in a directory survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Whether the disk under the data directory has room: nothing that is to be kept works without."""

import os
from collections.abc import Callable
from pathlib import Path

import structlog
import trio

from protocol.errors import SettingsError

log = structlog.get_logger("roost.disk")

# PostgreSQL takes its log in files of 16 MB, and recovers into a second one; the broker needs a
# few MB.
ROOM_BYTES = 32 << 20
# A new database has 41 MB.
NEW_BYTES = 64 << 20
LOOK_EVERY_S = 1.0


def free_bytes(path: Path) -> int:
    """What an ordinary user may still write there; 0 where no file can be made any more."""
    found = os.statvfs(path)
    if found.f_files and not found.f_favail:
        return 0
    return found.f_bavail * found.f_frsize


def check_room(path: Path) -> None:
    """Raises `SettingsError` where servers would not start for want of room."""
    needed = ROOM_BYTES if (path / "postgres").exists() else NEW_BYTES + ROOM_BYTES
    free = free_bytes(path)
    if free < needed:
        raise SettingsError(
            f"the disk is full: {_mb(free)} free in {path}, and Roost needs {_mb(needed)} to start"
        )


class Disk:
    """The disk of a data directory.

    Attributes:
        trouble: "", or what is wrong with it, in words for an operator.
    """

    def __init__(self, path: Path, free: Callable[[Path], int] = free_bytes) -> None:
        self.trouble = ""
        self._path = path
        self._free = free

    async def look(self) -> bool:
        """Whether it has room; what has changed is logged."""
        # In a thread: a disk that hangs does not even answer that.
        free = await trio.to_thread.run_sync(self._free, self._path)
        has_room = free >= ROOM_BYTES
        if not has_room:
            if not self.trouble:
                log.error("the disk is full", path=str(self._path), free_bytes=free)
            self.trouble = f"full: {_mb(free)} free in {self._path}, {_mb(ROOM_BYTES)} are needed"
        elif self.trouble:
            self.trouble = ""
            log.warning("the disk has room again", path=str(self._path), free_bytes=free)
        return has_room

    def checks(self) -> dict[str, str]:
        """For `/readyz` (`actors.ports.Machine`)."""
        return {"disk": self.trouble or "ok"}

    async def wait_room(self) -> None:
        while not await self.look():  # noqa: ASYNC110 (no disk tells of room)
            await trio.sleep(LOOK_EVERY_S)


def _mb(count: int) -> str:
    return f"{count / (1 << 20):.0f} MB"

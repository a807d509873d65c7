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
# Below this, and what the broker may still write, nothing new is taken; above it and that, again.
TAKING_BYTES = 2 * ROOM_BYTES
AGAIN_BYTES = 8 << 20
LOOK_EVERY_S = 1.0


def free_bytes(path: Path) -> int:
    """What an ordinary user may still write there; 0 where no file can be made any more."""
    found = os.statvfs(path)
    if found.f_files and not found.f_favail:
        return 0
    return found.f_bavail * found.f_frsize


def used_bytes(folder: Path) -> int:
    """What the files in a folder take; they may go while they are looked at."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(base, name)).st_size
            except FileNotFoundError:
                continue
    return total


def check_room(path: Path) -> None:
    """Raises `SettingsError` where servers would not start for want of room."""
    needed = ROOM_BYTES if (path / "postgres").exists() else NEW_BYTES + ROOM_BYTES
    free = free_bytes(path)
    if free < needed:
        raise SettingsError(
            f"the disk is full: {_mb(free)} free in {path}, and Roost needs {_mb(needed)} to start"
        )


class Disk:
    """The disk of a data directory (`actors.ports.machine.Machine`).

    While there is less room than the broker may still take, and what PostgreSQL needs to go on,
    nothing new is taken: the broker goes on until its own bound, and the disk is never full.

    Args:
        reserve: bytes that others may still write, whatever we do.

    Attributes:
        trouble: "", or what is wrong with it, in words for an operator.
        takes: whether there is room for anything new.
    """

    def __init__(
        self,
        path: Path,
        free: Callable[[Path], int] = free_bytes,
        reserve: Callable[[], int] = lambda: 0,
    ) -> None:
        self.trouble = ""
        self.takes = True
        self._is_full = False
        self._path = path
        self._free = free
        self._reserve = reserve

    async def look(self) -> bool:
        """Whether it has room for our servers; what has changed is logged."""
        # In a thread: a disk that hangs does not even answer that.
        free, reserve = await trio.to_thread.run_sync(self._measure)
        wanted = reserve + TAKING_BYTES
        is_full, takes = free < ROOM_BYTES, self._takes(free, wanted)
        if is_full and not self._is_full:
            log.error("the disk is full", path=str(self._path), free_bytes=free)
        elif self._is_full and not is_full:
            log.warning("the disk has room again", path=str(self._path), free_bytes=free)
        if takes != self.takes:
            if takes:
                log.warning("messages are taken again", free_bytes=free)
            else:
                log.error(
                    "nothing new is taken: the disk is nearly full", free_bytes=free, needed=wanted
                )
        self._is_full, self.takes = is_full, takes
        self.trouble = ""
        if is_full:
            self.trouble = f"full: {_mb(free)} free in {self._path}, {_mb(ROOM_BYTES)} are needed"
        elif not takes:
            self.trouble = (
                f"nearly full: {_mb(free)} free in {self._path}; nothing new is taken until there"
                f" are {_mb(wanted + AGAIN_BYTES)}"
            )
        return not is_full

    def _measure(self) -> tuple[int, int]:
        return self._free(self._path), self._reserve()

    def _takes(self, free: int, wanted: int) -> bool:
        """Once it has stopped it begins again with some more room, so as not to stop at once."""
        return free >= (wanted if self.takes else wanted + AGAIN_BYTES)

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await trio.sleep(LOOK_EVERY_S)

    def checks(self) -> dict[str, str]:
        """For `/readyz`."""
        return {"disk": self.trouble or "ok"}

    async def wait_room(self) -> None:
        while not await self.look():  # noqa: ASYNC110 (no disk tells of room)
            await trio.sleep(LOOK_EVERY_S)


def _mb(count: int) -> str:
    return f"{count / (1 << 20):.0f} MB"

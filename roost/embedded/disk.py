"""Whether the disk of the data directory has room: without it nothing can be stored."""

import os
from collections.abc import Callable
from pathlib import Path

import structlog
import trio

from protocol.errors import SettingsError

log = structlog.get_logger("roost.disk")

# PostgreSQL allocates its log in files of 16 MB, and recovers into a second one; the broker needs a
# few MB.
ROOM_BYTES = 32 << 20
# A new database has 41 MB.
NEW_BYTES = 64 << 20
# Below this plus what the broker may still write, nothing new is taken; with that much more it is
# again.
TAKING_BYTES = 2 * ROOM_BYTES
AGAIN_BYTES = 8 << 20
LOOK_EVERY_S = 1.0


def free_bytes(path: Path) -> int:
    """The bytes that an ordinary user may still write; 0 if no file can be created any more."""
    found = os.statvfs(path)
    if found.f_files and not found.f_favail:
        return 0
    return found.f_bavail * found.f_frsize


def used_bytes(folder: Path) -> int:
    """The size of the files in a folder; files may be deleted meanwhile."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(base, name)).st_size
            except FileNotFoundError:
                continue
    return total


def check_room(path: Path) -> None:
    """Raises `SettingsError` if the servers would not start because the disk is full."""
    needed = ROOM_BYTES if (path / "postgres").exists() else NEW_BYTES + ROOM_BYTES
    free = free_bytes(path)
    if free < needed:
        raise SettingsError(
            f"the disk is full: {_mb(free)} free in {path}, and Roost needs {_mb(needed)} to start"
        )


class Disk:
    """The disk of a data directory (`actors.ports.machine.Machine`).

    While there is less room than the broker may still take, plus what PostgreSQL needs, nothing new
    is taken. So the broker can write up to its own limit, and the disk is never full.

    Args:
        reserve: bytes that other programs may still write.

    Attributes:
        trouble: what is wrong, for an operator; "" if nothing is.
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
        """Whether it has room for the servers; changes are logged."""
        # In a thread: a disk that hangs does not answer at all.
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
        """After it stopped, it starts again with some more room, so that it does not stop at
        once."""
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
        while not await self.look():  # noqa: ASYNC110 (a disk does not report free space)
            await trio.sleep(LOOK_EVERY_S)


def _mb(count: int) -> str:
    return f"{count / (1 << 20):.0f} MB"

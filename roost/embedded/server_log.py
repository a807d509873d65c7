"""The output of an embedded server: private, and bounded also while the server runs.

Strangers decide how long it is: nats-server writes a line for each failed login, with the whole
name.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO

import trio

BYTES_MAX = 10 << 20
# The end of what is cut: the newest lines.
KEPT_BYTES = 1 << 20
LOOK_EVERY_S = 5.0


def open_log(file: Path) -> IO[bytes]:
    """Open for appending, so that it can be cut while the server writes to it."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(handle, 0o600)  # it may be from an earlier version
    cut(file)
    return os.fdopen(handle, "ab")


def cut(file: Path) -> bool:
    """If it is too long, empty it, and keep its end in a second file (`.old`)."""
    if file.stat().st_size <= BYTES_MAX:
        return False
    with file.open("rb") as log:
        log.seek(-KEPT_BYTES, os.SEEK_END)
        end = log.read(KEPT_BYTES)
    old = file.with_suffix(".old")
    old.unlink(missing_ok=True)
    handle = os.open(old, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(end.partition(b"\n")[2])
    os.truncate(file, 0)
    return True


async def keep_short(files: Sequence[Path]) -> None:
    """For ever. The supervisor restarts it after a failure."""
    while True:
        for file in files:
            if await trio.to_thread.run_sync(file.exists):
                await trio.to_thread.run_sync(partial(cut, file))
        await trio.sleep(LOOK_EVERY_S)

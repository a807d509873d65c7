"""Reads the broker's log as it grows, for what the broker did not take from devices.

No setting of nats-server makes it accept such a message, and none reports it otherwise.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import structlog
import trio

from actors.ingest.broker_refusals import BrokerRefusal
from actors.runtime.isolation import Failed, attempt
from protocol.errors import in_words
from roost.embedded.broker_words import of_nobody, refused_of

log = structlog.get_logger("roost.broker")

LOOK_EVERY_S = 1.0
# Of more than this in a second, which is a thousand lines, the newest are read.
BYTES_MAX = 256 * 1024
# Ended connections of one look that the broker is asked about, a millisecond each.
CHECKED_MAX = 50


async def checked(
    refused: Sequence[BrokerRefusal], has_logged_in: Callable[[int], Awaitable[bool]]
) -> list[BrokerRefusal]:
    """Whose connection was ended is known only of those that had logged in: of others, and beyond
    `CHECKED_MAX`, no alarm is raised. Raises `Unavailable`."""
    found: list[BrokerRefusal] = []
    left = CHECKED_MAX
    for each in refused:
        if each.is_end:
            left -= 1
            is_theirs = left >= 0 and await has_logged_in(each.connection)
            found.append(each if is_theirs else of_nobody(each))
        else:
            found.append(each)
    return found


class LogTail:
    """What was appended to a file since the last look."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = self._size()

    def read(self) -> list[str]:
        """Whole lines. A file that became shorter was cut: it is read from its beginning."""
        size = self._size()
        if size < self._at:
            self._at = 0
        start = max(self._at, size - BYTES_MAX)
        if start == size:
            return []
        with self._file.open("rb") as file:
            file.seek(start)
            data = file.read(size - start)
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) < BYTES_MAX:
            return []  # the rest of the line follows
        self._at = start + (whole or len(data))
        return data[:whole].decode("utf-8", "replace").splitlines()

    def _size(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0


async def read_refusals(
    file: Path,
    take: Callable[[Sequence[BrokerRefusal]], Awaitable[None]],
    has_logged_in: Callable[[int], Awaitable[bool]],
) -> None:
    """For ever. The supervisor restarts it after a failure."""
    tail = await trio.to_thread.run_sync(LogTail, file)

    async def tell(refused: Sequence[BrokerRefusal]) -> None:
        await take(await checked(refused, has_logged_in))

    while True:
        lines = await trio.to_thread.run_sync(tail.read)
        refused = [each for line in lines if (each := refused_of(line)) is not None]
        if refused:
            done = await attempt(partial(tell, refused))
            if isinstance(done, Failed):
                log.warning("refusals of the broker not told", error=in_words(done.error))
        await trio.sleep(LOOK_EVERY_S)

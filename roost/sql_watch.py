"""Readers with SQL logins take their time from everybody: who takes too much is cut off.

What a login's own settings say (`statement_timeout` …) is a wish that it may change.
"""

from typing import Protocol

import trio

LOOK_EVERY_S = 2.0


class Readers(Protocol):
    async def lead_readers(self) -> None: ...

    async def end_late_readers(self) -> object: ...


async def watch_readers(readers: Readers) -> None:
    """For ever. What fails is its supervisor's, which starts it again."""
    await readers.lead_readers()
    while True:
        await readers.end_late_readers()
        await trio.sleep(LOOK_EVERY_S)

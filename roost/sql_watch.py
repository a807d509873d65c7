"""Ends queries of SQL logins that run too long, because they slow down everybody.

A login can change its own settings (`statement_timeout` …), so these are not enough.
"""

from typing import Protocol

import structlog
import trio

from protocol.errors import Unavailable, in_words

log = structlog.get_logger("roost.readers")

LOOK_EVERY_S = 5.0


class Readers(Protocol):
    async def lead_readers(self) -> None: ...

    async def end_late_readers(self) -> object: ...


async def watch_readers(readers: Readers) -> None:
    """For ever. The supervisor restarts it after a failure, except if the database is away."""
    are_led = False
    while True:
        try:
            if not are_led:
                await readers.lead_readers()
                are_led = True
            await readers.end_late_readers()
        except Unavailable as error:
            log.debug("SQL logins cannot be checked yet", error=in_words(error))
        await trio.sleep(LOOK_EVERY_S)

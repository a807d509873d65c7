"""Readers with SQL logins take their time from everybody: who takes too much is cut off.

What a login's own settings say (`statement_timeout` …) is a wish that it may change.
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
    """For ever. What fails otherwise than by a database that is away is its supervisor's, which
    starts it again."""
    are_led = False
    while True:
        try:
            if not are_led:
                await readers.lead_readers()
                are_led = True
            await readers.end_late_readers()
        except Unavailable as error:
            log.debug("SQL logins are looked at later", error=in_words(error))
        await trio.sleep(LOOK_EVERY_S)

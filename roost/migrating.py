"""The schema is brought up to date before anything else begins."""

import structlog
import trio

from actors.adapters.postgres.store import PostgresStore
from protocol.errors import Unavailable, in_words

log = structlog.get_logger("roost")

RETRY_S = 1.0


async def migrated(store: PostgresStore) -> None:
    """Wait for the database, and until nobody works with what is to be changed.

    Raises:
        SettingsError: it is too old, or its schema too new.
    """
    while True:
        try:
            for name in await store.migrate():
                log.info("migrated", file=name)
            return
        except Unavailable as error:
            log.warning("waiting for the database", error=in_words(error))
            await trio.sleep(RETRY_S)

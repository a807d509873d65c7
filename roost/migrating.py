"""Updates the schema before anything else starts."""

import structlog

from actors.adapters.postgres.store import PostgresStore
from actors.runtime.retry import Pauses, until_available
from protocol.errors import Unavailable, in_words

log = structlog.get_logger("roost")

RETRY_S = 1.0


async def migrated(store: PostgresStore) -> None:
    """Migrate; wait for the database, and until nobody uses what must be changed.

    Raises:
        SettingsError: it is too old, or its schema too new.
    """
    for name in await until_available(store.migrate, Pauses(RETRY_S), _waits):
        log.info("migrated", file=name)


def _waits(error: Unavailable) -> None:
    log.warning("waiting for the database", error=in_words(error))

"""SQL logins are roles of a server, not part of a dump: they are made anew with their passwords."""

from collections.abc import Iterable

import structlog

from actors.adapters.postgres.backups import Login
from actors.adapters.postgres.store import PostgresStore
from protocol.errors import Unavailable, in_words

log = structlog.get_logger("roost.backup")


async def readmit(store: PostgresStore, logins: Iterable[Login]) -> None:
    """One that cannot be made is told; everything else is more important."""
    for login in logins:
        why = "this server does not let Roost do that"
        try:
            if await store.readmit(login):
                continue
        except Unavailable as error:
            why = in_words(error)
        log.warning(
            "an SQL login was not restored: `roost user sql` makes a new one",
            user=login.user_id,
            error=why,
        )

"""Notes work that failed because of its content as a dead letter, to be retried later."""

import traceback
from functools import partial

import structlog

from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt
from protocol.dead_letters import DETAIL_MAX, reason_of
from protocol.errors import in_words

log = structlog.get_logger("roost.dead_letters")


async def put_aside(
    store: Store,
    clock: WallClock,
    work: str,
    subject: str,
    error: Exception,
    user_id: str | None = None,
) -> int | None:
    """Note that this work failed because of its content; return when (µs) it is due again.

    None: it could not be noted, because there is no room or the store does not answer.
    """
    reason = reason_of(error)
    log.warning("put aside", work=work, subject=subject, reason=reason)
    detail = "".join(traceback.format_exception(error))[-DETAIL_MAX:]
    noted = await attempt(
        partial(
            store.put_aside,
            work,
            subject,
            reason,
            now_us=clock.now_us(),
            user_id=user_id,
            detail=detail,
        )
    )
    if isinstance(noted, Failed):
        said = in_words(noted.error)
        log.warning("dead letter not noted", work=work, subject=subject, error=said)
        return None
    return noted

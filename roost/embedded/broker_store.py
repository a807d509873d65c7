"""The embedded broker's store: its maximum size, and who is removed for filling it."""

from pathlib import Path

import structlog
import trio

from actors.adapters.nats.store_bounds import StoreBounds
from protocol.errors import SettingsError, Unavailable, in_words
from roost.embedded.disk import free_bytes, used_bytes

log = structlog.get_logger("roost.broker")

# The part of the free space at the start; never more than an hour of 10,000 messages a second needs
# while the database is away.
SHARE = 8
BYTES_MAX = 8 << 30
# With less the streams of one session do not fit.
BYTES_MIN = 32 << 20
LOOK_EVERY_S = 2.0


def size_of(data: Path, wanted: int | None) -> int:
    """The maximum size of the store: the wanted size, or an eighth of the free disk space plus what
    the store has already, 8 GiB at most.

    Raises:
        SettingsError: that is too little for it to work.
    """
    if wanted is not None:
        if wanted < BYTES_MIN:
            raise SettingsError(f"broker bytes max: {wanted} is less than {BYTES_MIN}")
        return wanted
    room = free_bytes(data) + used_bytes(data / "broker")
    return max(BYTES_MIN, min(BYTES_MAX, room // SHARE))


async def bound_store(bounds: StoreBounds) -> None:
    """Look for ever. A server that was restarted has its limits within seconds."""
    while True:
        await look(bounds)
        await trio.sleep(LOOK_EVERY_S)


async def look(bounds: StoreBounds) -> None:
    """Look once; if the broker does not answer, do nothing."""
    try:
        ended = await bounds.keep()
    except Unavailable as error:
        log.debug("the broker's store cannot be checked", error=in_words(error))
        return
    for each in ended:
        if each.client_id:
            log.warning(
                "messages that were never released are deleted, their client disconnected",
                client_id=each.client_id[:80],
                messages=each.messages,
            )
        else:
            log.warning(
                "a session that fetched nothing is deleted: the broker's store is half full",
                session=each.session,
                messages=each.messages,
            )

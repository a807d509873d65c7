"""Whether the broker still holds an earlier copy of a command for a device that is away.

A device would get a command as often as it was published meanwhile.
"""

from collections.abc import Iterable

import structlog
import trio

from actors.access.mqtt_credentials import client_id_of
from actors.ports.logins import Logins
from protocol.errors import Unavailable, in_words

log = structlog.get_logger("roost.dispatch")

# How long the broker has to say what it holds. What is not known by then is published.
HELD_WITHIN_S = 1.0


async def held_for(logins: Logins, device_ids: Iterable[str]) -> dict[str, float]:
    """Of these devices those for which the broker holds copies, or has just delivered them, and for
    how many seconds that counts. All are asked for at once, so that a broker that does not answer
    costs little time."""
    held: dict[str, float] = {}

    async def look(device_id: str) -> None:
        try:
            held_s = await logins.holds_for(client_id_of(device_id))
        except Unavailable as error:
            log.debug("not known what the broker holds", error=in_words(error))
            return
        if held_s > 0:
            held[device_id] = held_s

    with trio.move_on_after(HELD_WITHIN_S):
        async with trio.open_nursery() as nursery:
            for device_id in dict.fromkeys(device_ids):
                nursery.start_soon(look, device_id)
    return held

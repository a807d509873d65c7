"""Dead letters about rows that could not be read."""

from typing import Any

import structlog

from actors.adapters.postgres.dead_letters import put_aside
from actors.adapters.postgres.wire.isolation import MAY_BE_ROWS
from protocol.dead_letters import DEVICES, LISTENERS, ROWS, subject_of_row

log = structlog.get_logger("roost.store")

_IS_KNOWN = """
SELECT EXISTS (SELECT FROM dead_letters WHERE work = $1 AND subject = $2 AND next_try_at > now())
"""


async def note_row(connection: Any, noun: str, num: int, user_id: str, reason: str) -> None:
    """Put a row of a list aside by its number."""
    await note(connection, ROWS, subject_of_row(noun, num), user_id, reason)


async def note_device(connection: Any, num: int, user_id: str, reason: str) -> None:
    """Put a device aside by its code, or by its number if the code cannot be read either."""
    try:
        async with connection.transaction():  # a savepoint
            code = await connection.fetchval("SELECT code FROM devices WHERE num = $1", num)
    except MAY_BE_ROWS:
        await note_row(connection, "devices", num, user_id, reason)
    else:
        await note(connection, DEVICES, f"{user_id}/{code}", user_id, reason)


async def note_listener(connection: Any, user_id: str, reason: str) -> None:
    await note(connection, LISTENERS, user_id, user_id, reason)


async def note(connection: Any, work: str, subject: str, user_id: str | None, reason: str) -> None:
    """Put it aside, unless it is noted and its pause is not over."""
    if await connection.fetchval(_IS_KNOWN, work, subject):
        return
    log.warning("put aside", work=work, subject=subject, reason=reason)
    now_us = await connection.fetchval("SELECT now()")
    await put_aside(connection, work, subject, reason, now_us=now_us, user_id=user_id)

"""The lead: an advisory lock that ends with its connection, and the number of who has it."""

from collections.abc import Callable
from typing import Any

LOCK = 0x526F_6F73_74 + 1  # beside that of migrations


async def lead(connection: Any, lost: Callable[[], None]) -> int | None:
    """Take the lock, if it is free. A leader that was slow may still be committing under the old
    number; the next one waits for that (`loading.session_memory`)."""
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        return None
    connection.add_termination_listener(lambda *about: lost())
    epoch: int = await connection.fetchval("UPDATE leads SET epoch = epoch + 1 RETURNING epoch")
    return epoch

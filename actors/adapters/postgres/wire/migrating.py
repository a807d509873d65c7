"""Migrations: numbered SQL files, each applied once, in order, by one process at a time.

Each is a transaction of its own, so that nobody waits for the locks of one while the next one runs.
What would lock a large table for long (an index of it) goes ahead of its file, without a
transaction: `0029_command_ids.ahead.sql` before
`0029_command_ids.sql`. Its statements may be repeated, because the file may fail after them.
"""

import asyncio
import re
from pathlib import Path
from typing import Any

import structlog

from actors.adapters.postgres.wire.partitions import IN_USE, make_partitions
from actors.adapters.postgres.wire.preparing import prepare
from protocol.errors import SettingsError

log = structlog.get_logger("roost.store")

FOLDER = Path(__file__).parent / "migrations"
LOCK = 0x526F_6F73_74  # "Roost"
VERSION_MIN = 150_000
# Asking again for the lock costs the server nothing; a migration takes at least some milliseconds.
LOCK_EVERY_S = 0.1
# Nobody waits longer for a lock that a migration waits for.
LOCK_WAIT = "1s"

# Those up to this one are one transaction: it refuses to run beside the version before, which would
# go on without what the earlier ones of them begin.
TOGETHER = 13

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_AHEAD = ".ahead.sql"
_COMMENT = re.compile(r"--[^\n]*")


def files() -> dict[int, Path]:
    """Migrations by number. Raises `ValueError` for a file that is not one."""
    found: dict[int, Path] = {}
    for path in sorted(FOLDER.glob("*.sql")):
        if path.name.endswith(_AHEAD):
            continue
        name = _NAME.fullmatch(path.name)
        if name is None or int(name[1]) in found:
            raise ValueError(f"{path.name} is not a migration with a number of its own")
        found[int(name[1])] = path
    return found


async def migrate(connection: Any) -> list[str]:
    """Update the schema; return the names of the files that were applied.

    Raises:
        SettingsError: the server is too old, or its schema is newer than this program.
        IN_USE: somebody uses what must be changed; the rest was not changed.
    """
    if connection.get_server_version().major * 10_000 < VERSION_MIN:
        raise SettingsError("Roost needs PostgreSQL 15 or newer")
    await connection.execute("SET statement_timeout = 0")
    # Whoever waited for it inside a statement would have a snapshot, and an index that is built
    # without locks waits until all older snapshots are gone. It ends with the connection.
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        await asyncio.sleep(LOCK_EVERY_S)
    await prepare(connection)
    applied = await _apply(connection)
    try:
        await make_partitions(connection)
    except IN_USE:
        log.warning("partitions are created later: the table is in use")
    return applied


async def _apply(connection: Any) -> list[str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations "
        "(number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL)"
    )
    rows = await connection.fetch("SELECT number FROM migrations")
    done = {row["number"] for row in rows}
    known = files()
    if done - known.keys():
        raise SettingsError("the database was migrated by a newer version of Roost")
    pending = [number for number in known if number not in done]
    first = [number for number in pending if number <= TOGETHER]
    alone = [[number] for number in pending[len(first) :]]
    for numbers in [first, *alone] if first else alone:
        await _apply_together(connection, {number: known[number] for number in numbers})
    return [known[number].name for number in pending]


async def _apply_together(connection: Any, pending: dict[int, Path]) -> None:
    """What goes ahead of each, and then all of them in a transaction."""
    for path in pending.values():
        for statement in _statements(path.with_suffix(_AHEAD)):
            await connection.execute(statement)
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
        for number, path in pending.items():
            await connection.execute(path.read_text())
            await connection.execute(
                "INSERT INTO migrations VALUES ($1, $2, now())", number, path.name
            )


def _statements(path: Path) -> list[str]:
    found = _COMMENT.sub("", path.read_text()).split(";") if path.exists() else []
    return [statement for each in found if (statement := each.strip())]

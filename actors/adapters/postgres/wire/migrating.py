"""Migrations: numbered SQL files, each applied once, in order, by one process at a time.

Each is a transaction of its own, so that nobody waits for the locks of one while the next one
runs.
"""

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
# Nobody waits longer for a lock that a migration waits for.
LOCK_WAIT = "1s"

# Those up to this one are one transaction: it refuses to run beside the version before, which would
# go on without what the earlier ones of them begin.
TOGETHER = 13

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


def files() -> dict[int, Path]:
    """Migrations by number. Raises `ValueError` for a file that is not one."""
    found: dict[int, Path] = {}
    for path in sorted(FOLDER.glob("*.sql")):
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
    applied: list[str] = []
    await prepare(connection)
    while step := await _step(connection):
        applied += step
    try:
        await make_partitions(connection)
    except IN_USE:
        log.warning("partitions are created later: the table is in use")
    return applied


async def _step(connection: Any) -> list[str]:
    """Apply the next ones, in a transaction; empty if there are none."""
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
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
        step = [number for number in pending if number <= TOGETHER] or pending[:1]
        for number in step:
            await connection.execute(known[number].read_text())
            await connection.execute(
                "INSERT INTO migrations VALUES ($1, $2, now())", number, known[number].name
            )
        return [known[number].name for number in step]

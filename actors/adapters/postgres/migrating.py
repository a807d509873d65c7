"""Migrations: numbered SQL files, each once, in order, one transaction, one process at a time."""

import re
from pathlib import Path
from typing import Any

from protocol.errors import SettingsError

FOLDER = Path(__file__).parent / "migrations"
LOCK = 0x526F_6F73_74  # "Roost"
VERSION_MIN = 150_000
MONTHS_BACK, MONTHS_AHEAD = 12, 3

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
    """Bring the schema up to date; answers with the names of the files that were applied.

    Raises:
        SettingsError: the server is too old, or its schema is newer than this program.
    """
    if connection.get_server_version().major * 10_000 < VERSION_MIN:
        raise SettingsError("Roost needs PostgreSQL 15 or newer")
    applied: list[str] = []
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations "
            "(number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL)"
        )
        rows = await connection.fetch("SELECT number FROM migrations")
        done = {row["number"] for row in rows}
        known = files()
        if done - known.keys():
            raise SettingsError("the database was migrated by a newer version of Roost")
        for number, path in known.items():
            if number not in done:
                await connection.execute(path.read_text())
                await connection.execute(
                    "INSERT INTO migrations VALUES ($1, $2, now())", number, path.name
                )
                applied.append(path.name)
        await make_partitions(connection)
    return applied


async def make_partitions(connection: Any) -> None:
    """Make the monthly partitions around now; what lies outside goes to the default partition.

    A month that already has rows in the default partition is left there: moving them would lock
    the writer out, and they are found all the same.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    months = await connection.fetch(
        "SELECT to_char(m, 'YYYY_MM') AS name, m::text AS since,"
        " (m + interval '1 month')::text AS until"
        " FROM generate_series(date_trunc('month', now()) - make_interval(months => $1),"
        " date_trunc('month', now()) + make_interval(months => $2), '1 month') AS m",
        MONTHS_BACK,
        MONTHS_AHEAD,
    )
    for month in months:
        table = f"feed_values_{month['name']}"
        taken = await connection.fetchval(
            "SELECT to_regclass($1) IS NOT NULL OR EXISTS (SELECT FROM feed_values_default"
            " WHERE ts >= $2::text::timestamptz AND ts < $3::text::timestamptz)",
            table,
            month["since"],
            month["until"],
        )
        if not taken:
            await connection.execute(
                f"CREATE TABLE {table} PARTITION OF feed_values"
                f" FOR VALUES FROM ('{month['since']}') TO ('{month['until']}')"
            )

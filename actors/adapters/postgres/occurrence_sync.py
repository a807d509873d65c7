"""Occurrences follow their commands: a command's new state becomes its occurrence's state."""

from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres.tables import OCCURRENCES
from actors.adapters.postgres.wire import writing
from actors.adapters.postgres.wire.isolation import computed
from actors.adapters.postgres.wire.rows import columns
from protocol.device.commands import Command
from protocol.schedule.schedules import Occurrence, followed

_CHANGING = (
    *("state", "command_id", "triggered_us", "acknowledged_us", "completed_us", "detail"),
    *("coded", "version"),
)
_UPDATE = writing.updating(OCCURRENCES, _CHANGING)


def updating(first: int) -> str:
    """The statement whose parameters are those of `updated`, numbered from `first`."""
    return writing.updating(OCCURRENCES, _CHANGING, first)


def updated(changed: Sequence[Occurrence]) -> list[list[Any]]:
    """The parameters of `updating`."""
    return writing.arrays(("num", *_CHANGING), changed)


async def update(connection: Any, changed: Sequence[Occurrence]) -> None:
    """Write occurrences that this transaction has locked."""
    if changed:
        await connection.execute(_UPDATE, *updated(changed))


# The command's detail replaces the occurrence's, which is therefore not read: it may be unreadable.
_NO_DETAIL = OCCURRENCES.selected_with(detail="''", coded="NULL")


def keys_among(user: str, command: str) -> str:
    """The condition for rows with one of the command keys, whose `columns` are `$1` and `$2`. The
    ids alone find them by their index."""
    return (
        f"{command} = ANY($2::text[]::uuid[]) AND ({user}, {command}) IN"
        " (SELECT * FROM unnest($1::text[]::uuid[], $2::text[]::uuid[]))"
    )


async def follow(connection: Any, changed: Sequence[Command]) -> tuple[Occurrence, ...]:
    """The occurrences of changed commands, as they are now."""
    by_key = {command.key: command for command in changed}
    if not by_key:
        return ()
    found = await connection.fetch(
        f"SELECT {_NO_DETAIL} FROM {OCCURRENCES.source}"
        f" WHERE {keys_among('s.user_id', 'o.command_id')} ORDER BY o.num FOR UPDATE OF o",
        *columns(list(by_key), 2),
    )
    occurrences = [
        computed(
            followed, computed(OCCURRENCES.record, row), by_key[row["user_id"], row["command_id"]]
        )
        for row in found
    ]
    await update(connection, occurrences)
    return tuple(occurrences)

"""Occurrences follow their commands: a command's new state becomes its occurrence's state."""

from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres.tables import OCCURRENCES
from actors.adapters.postgres.wire import writing
from actors.adapters.postgres.wire.isolation import computed
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


async def follow(connection: Any, changed: Sequence[Command]) -> tuple[Occurrence, ...]:
    """The occurrences of changed commands, as they are now."""
    by_id = {command.id: command for command in changed}
    if not by_id:
        return ()
    found = await connection.fetch(
        f"SELECT {_NO_DETAIL} FROM {OCCURRENCES.source}"
        " WHERE o.command_id = ANY($1::text[]::uuid[]) ORDER BY o.num FOR UPDATE OF o",
        list(by_id),
    )
    occurrences = [
        computed(followed, computed(OCCURRENCES.record, row), by_id[row["command_id"]])
        for row in found
    ]
    await update(connection, occurrences)
    return tuple(occurrences)

"""Rows that cannot be read: whoever reads many rows gets all others.

    found = await read(connection, NOUNS["devices"], user_id, "WHERE d.user_id = …", user_id)
    device = await record_of(connection, "devices", user_id, device_id)

A row may be one that the server itself cannot read, or that our records refuse, after a change by
hand, a disk error or a migration. Normally one statement reads everything, and this costs nothing
extra. Only if it fails rows are read by their numbers, in halves, until those are found that fail
alone. They are put aside as dead letters with their reason. If the server can read none of them,
nor any other row of that kind, the server is the cause, and the caller gets its error.
"""

from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres.dead_letters import clear
from actors.adapters.postgres.list_queries import NOUNS, Noun
from actors.adapters.postgres.row_letters import note_row
from actors.adapters.postgres.wire.isolation import (
    MAY_BE_ROWS,
    can_read_another,
    cause_of,
    computed,
    halves_apart,
)
from protocol.dead_letters import ROWS, reason_of, row_of
from protocol.errors import Unreadable
from protocol.rest.listing import UnreadableRow
from protocol.times import check_times

# Per query. If a whole table is damaged, this many letters are enough to show it.
NOTED_MAX = 20

NOT_READ = "The stored record cannot be read; the error was logged"

Key = tuple[int, Any]  # the number of a row, and its position


async def read(
    connection: Any,
    noun: Noun,
    user_id: str,
    which: str,
    *args: Any,
    place: str = "''",
) -> list[tuple[str, Any]]:
    """Records of that noun, each with its position; an `UnreadableRow` for one that cannot be read.

    Args:
        which: the rest of the statement after the noun's tables: conditions, order, limit.
        place: an expression for the position.
    """
    try:
        found = await connection.fetch(
            f"SELECT {noun.select}, {place} AS place_ FROM {noun.tables} {which}", *args
        )
        places = [row["place_"] for row in found]
        return list(zip(places, await _records(connection, noun, found), strict=True))
    except MAY_BE_ROWS:
        pass
    keys = await connection.fetch(
        f"SELECT {noun.number} AS num_, {place} AS place_ FROM {noun.tables} {which}", *args
    )
    return await _apart(connection, noun, user_id, [tuple(key) for key in keys])


async def _records(connection: Any, noun: Noun, found: list[Any]) -> list[Any]:
    """Raises `Poison` also for a record that cannot be shown: with a time beyond our calendar."""
    records = await noun.records(connection, found)
    for record in records:
        computed(check_times, record)
    return records


async def _apart(
    connection: Any, noun: Noun, user_id: str, keys: list[Key]
) -> list[tuple[str, Any]]:
    bad: list[tuple[int, Exception]] = []

    async def some(part: Sequence[Key]) -> list[tuple[int, Any]]:
        found = await connection.fetch(
            f"SELECT {noun.select}, {noun.number} AS num_ FROM {noun.tables}"
            f" WHERE {noun.number} = ANY($1::bigint[])",
            [num for num, _ in part],
        )
        nums = [row["num_"] for row in found]
        return list(zip(nums, await _records(connection, noun, found), strict=True))

    async def aside(key: Key, error: Exception) -> None:
        bad.append((key[0], error))

    others = (
        f"SELECT {noun.number} AS num FROM {noun.tables}"
        f" WHERE NOT {noun.number} = ANY($1::bigint[]) ORDER BY {noun.number} DESC LIMIT $2"
    )

    async def probe() -> bool:
        nums = [num for num, _ in keys]
        return await can_read_another(connection, others, nums, lambda num: some([(num, "")]))

    async with connection.transaction():
        good = dict(await halves_apart(connection, keys, some, aside, probe))
        for num, error in bad[:NOTED_MAX]:
            await note_row(connection, noun.name, num, user_id, reason_of(error))
    unread = {num: UnreadableRow(num) for num, _ in bad}
    everything = good | unread
    # One that was deleted meanwhile is in neither.
    return [(place, everything[num]) for num, place in keys if num in everything]


async def readable(connection: Any, noun: Noun, user_id: str, which: str, *args: Any) -> list[Any]:
    """Like `read`, without positions and without records that cannot be read."""
    found = await read(connection, noun, user_id, which, *args)
    return [record for _, record in found if not isinstance(record, UnreadableRow)]


async def record_of(connection: Any, name: str, user_id: str | None, record_id: str) -> Any | None:
    """One record by its id, of that user or of anybody; None where there is none.

    Raises:
        Unreadable: nobody can read or show it; it is noted, as by who asks for a list.
    """
    noun, asked = NOUNS[name], (record_id, user_id)
    which = (
        f"WHERE {noun.table.short}.id = $1::text::uuid"
        f" AND ($2::text IS NULL OR {noun.owner} = $2::text::uuid)"
    )
    try:
        found = await connection.fetch(f"SELECT {noun.select} FROM {noun.tables} {which}", *asked)
        records = await _records(connection, noun, found)
        return records[0] if records else None
    except MAY_BE_ROWS as error:
        why = cause_of(error)
    owner = await connection.fetchval(
        f"SELECT {noun.owner}::text FROM {noun.tables} {which}", *asked
    )
    for _, record in await read(connection, noun, owner, which, *asked):
        if isinstance(record, UnreadableRow):
            raise why if isinstance(why, Unreadable) else Unreadable(NOT_READ)
        return record
    return None  # it was deleted meanwhile


async def read_again(connection: Any, subject: str, user_id: str) -> None:
    """Read the row again: clear its letter, or note one more attempt."""
    name, num = row_of(subject)
    noun = NOUNS[name]
    which = f"WHERE {noun.number} = $1::bigint"
    found = await read(connection, noun, user_id, which, num)
    if not any(isinstance(record, UnreadableRow) for _, record in found):
        await clear(connection, ROWS, [subject])

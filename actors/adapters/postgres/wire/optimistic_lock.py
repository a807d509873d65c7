"""Updates of settings that name the revision they were made from."""

from operator import attrgetter
from typing import Any

from actors.adapters.postgres.wire.table import R, Table
from protocol.errors import Outdated


async def revise(
    connection: Any, table: Table[R], changed: R, known: int | None, *, also: str = ""
) -> None:
    """Write the settings of a record, with the next revision.

    Args:
        known: the revision that is changed; None for whichever there is.
        also: further columns to set, as in `failures = 0`.

    Raises:
        Outdated: the revision is another one by now.
    """
    columns = [table.key, *table.settings]
    key, *sets = [f"{c.name} = {c.parameter(n)}" for n, c in enumerate(columns, 1)]
    if also:
        sets.append(also)
    last = len(columns) + 1
    revision = await connection.fetchval(
        f"UPDATE {table.name} SET {', '.join(sets)}, revision = revision + 1 WHERE {key}"
        f" AND (${last}::integer IS NULL OR revision = ${last}) RETURNING revision",
        *(attrgetter(column.path)(changed) for column in columns),
        known,
    )
    if revision is None and known is not None:
        raise Outdated

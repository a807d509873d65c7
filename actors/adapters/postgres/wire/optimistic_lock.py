"""Changes of settings that know which settings they change."""

from operator import attrgetter
from typing import Any

from actors.adapters.postgres.wire.table import R, Table
from protocol.errors import Outdated


async def revise(
    connection: Any, table: Table[R], changed: R, known: int | None, *, also: str = ""
) -> None:
    """Write the settings of a record, one revision on.

    Args:
        known: the revision that is changed; whichever there is without it.
        also: further columns that this sets, as in `failures = 0`.

    Raises:
        Outdated: it is another by now.
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

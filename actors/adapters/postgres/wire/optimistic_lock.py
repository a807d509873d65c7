"""Changes of settings that know which settings they change."""

from typing import Any

from protocol.errors import Outdated


async def revise(
    connection: Any, table: str, key: str, sets: str, known: int | None, *args: Any
) -> None:
    """`UPDATE table SET sets WHERE key = $1`, one revision on.

    Args:
        sets: with the parameters `$2` and so on, of `args`, whose first is the key.
        known: the revision that is changed; whichever there is without it.

    Raises:
        Outdated: it is another by now.
    """
    last = len(args) + 1
    revision = await connection.fetchval(
        f"UPDATE {table} SET {sets}, revision = revision + 1 WHERE {key}"
        f" AND (${last}::integer IS NULL OR revision = ${last}) RETURNING revision",
        *args,
        known,
    )
    if revision is None and known is not None:
        raise Outdated

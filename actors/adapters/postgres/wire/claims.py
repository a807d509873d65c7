"""Claims that continue without those of their rows that fail.

    done = await each_apart(connection, WORK, keys, one, now_us=now_us)

A claim that failed begins again (`isolation.whole_or_apart`). It finds its rows by their numbers
and other short columns only, which can be read although another column is damaged, and processes
one after the other. Rows that fail are put aside as dead letters and are due again after their
pause. For that nothing of them is read, and only their due time is written.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from actors.adapters.postgres.dead_letters import hold
from actors.adapters.postgres.wire.isolation import (
    MAY_BE_ROWS,
    can_read_another,
    cause_of,
    check_readable,
)
from protocol.dead_letters import PAUSE_MAX_S

T = TypeVar("T")


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Work that has rows of its own, in a table with `num` and `id`.

    Attributes:
        name: of its dead letters.
        due: the column that says from when on a row may be claimed.
        row: the statement that reads a claimed row by its number.
        others: like the parameter of `can_read_another`.
        pause_max_s: how long a row that fails waits at most.
    """

    name: str
    table: str
    due: str
    row: str
    others: str
    pause_max_s: int = PAUSE_MAX_S


async def each_apart(
    connection: Any,
    work: Work,
    keys: Sequence[Any],
    one: Callable[[Any, Any], Awaitable[T]],
    *,
    now_us: int,
    instead: Callable[[Any], Awaitable[T | None]] | None = None,
) -> list[T]:
    """`one(key, row)` for each row; a failure is rolled back and put aside.

    Args:
        keys: of rows that this transaction has locked: `num`, `id` (the subject of a letter),
        `user_id`, and what `one` needs.
        instead: what can be done with a row that failed; it returns None if that is nothing.

    Raises:
        asyncpg.InternalServerError: the server can read none of these rows, and none of the others.
    """
    done: list[T] = []
    failed: list[tuple[Any, Exception]] = []

    async def read(num: int) -> Any:
        return await connection.fetchrow(work.row, num)

    for key in keys:
        try:
            async with connection.transaction():  # a savepoint
                done.append(await one(key, await read(key["num"])))
        except MAY_BE_ROWS as error:
            failed.append((key, cause_of(error)))

    async def probe() -> bool:
        nums = [key["num"] for key in keys]
        return await can_read_another(connection, work.others, nums, read)

    await check_readable(len(keys), failed, probe)
    for key, why in failed:
        ended = await _tried_instead(connection, key, instead)
        if ended is None:
            await _put_aside(connection, work, key, why, now_us)
        else:
            done.append(ended)
    return done


async def _tried_instead(
    connection: Any, key: Any, instead: Callable[[Any], Awaitable[T | None]] | None
) -> T | None:
    if instead is None:
        return None
    try:
        async with connection.transaction():  # a savepoint
            return await instead(key)
    except MAY_BE_ROWS:
        return None  # it is put aside because of its first failure


async def _put_aside(connection: Any, work: Work, key: Any, error: Exception, now_us: int) -> None:
    next_us = await hold(
        connection,
        work.name,
        key["id"],
        error,
        now_us=now_us,
        user_id=key["user_id"],
        pause_max_s=work.pause_max_s,
    )
    await connection.execute(
        f"UPDATE {work.table} SET {work.due} = $2 WHERE num = $1", key["num"], next_us
    )

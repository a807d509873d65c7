"""Isolates rows that fail, so that work on many rows continues without them.

    await whole_or_apart(connection, work, …)

Work on many rows is done at once, and costs nothing extra. Only if it fails it begins again, one
row after the other (`claims`) or in halves, each under its own savepoint.

An error about a row's content concerns that row. If the server cannot read what it has stored, the
cause may be one row, or something that all rows need. If another row can be read, it is the row;
otherwise it is the server.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncpg

from actors.adapters.postgres.wire.plans import use_indexes
from protocol.errors import Unavailable, in_words

T = TypeVar("T")
R = TypeVar("R")


# What we sent, or what is stored, breaks a rule of a type, a table or a trigger, or a limit of the
# server; or a stored text is not valid. Corrupted data is not among them (`UNREAD`).
CONTENT = (
    UnicodeDecodeError,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.PLPGSQLError,
    asyncpg.TriggeredActionError,
    asyncpg.TriggeredDataChangeViolationError,
    asyncpg.ExternalRoutineError,
    asyncpg.WithCheckOptionViolationError,
    asyncpg.CardinalityViolationError,
    asyncpg.ProgramLimitExceededError,
)


# Corrupted data, a corrupted index, an internal error: the server could not read what is stored.
UNREAD = (asyncpg.InternalServerError,)
# Stored data could not be read, for one reason or the other.
UNREADABLE = (UnicodeDecodeError, *UNREAD)
# Other rows that are tried if none of the wanted ones can be read.
OTHERS_MAX = 10


class Poison(Exception):
    """A computation with a row failed; its cause says why."""


ABOUT_ROWS = (Poison, *CONTENT)
MAY_BE_ROWS = (*ABOUT_ROWS, *UNREAD)


def is_content(error: BaseException) -> bool:
    """Whether the error is about the content of rows: another try at once would fail, too."""
    return isinstance(error, ABOUT_ROWS)


def cause_of(error: Exception) -> Exception:
    """The original error in a `Poison`."""
    cause = error.__cause__
    return cause if isinstance(error, Poison) and isinstance(cause, Exception) else error


def computed(call: Callable[..., T], *args: Any) -> T:
    """`call(*args)`: our own code, applied to a row inside a transaction.

    Raises:
        Poison: it failed, with whatever error, because its only input was the row.
        Unavailable: the error is about a server, not about the row.
    """
    try:
        return call(*args)
    except Unavailable:
        raise
    except Exception as error:
        raise Poison(in_words(error)) from error


async def whole_or_apart(connection: Any, work: Callable[..., Awaitable[T]], *args: Any) -> T:
    """`work(connection, …, apart=False)` in a transaction. If that fails and one of its rows may be
    the cause, again in another transaction with `apart=True`."""
    try:
        async with connection.transaction():
            await use_indexes(connection)
            return await work(connection, *args, apart=False)
    except MAY_BE_ROWS:
        pass  # the transaction was rolled back; below it begins again, row by row
    async with connection.transaction():
        await use_indexes(connection)
        return await work(connection, *args, apart=True)


async def halves_apart(
    connection: Any,
    keys: Sequence[T],
    read: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
    aside: Callable[[T, Exception], Awaitable[None]],
    probe: Callable[[], Awaitable[bool]] | None = None,
) -> list[R]:
    """What `read(keys)` returns; if that fails because of the content of rows, the results of its
    halves.

    One bad row of n costs about 2 log2(n) statements.

    Args:
        probe: like the parameter of `check_readable`.
    """
    found: list[R] = []
    failed: list[tuple[T, Exception]] = []
    waiting = [keys] if keys else []
    while waiting:
        some = waiting.pop()
        try:
            async with connection.transaction():  # a savepoint
                found += await read(some)
        except MAY_BE_ROWS as error:
            if len(some) == 1:
                failed.append((some[0], cause_of(error)))
            else:
                half = len(some) // 2
                waiting += [some[half:], some[:half]]
    await check_readable(len(keys), failed, probe)
    for key, why in failed:
        await aside(key, why)
    return found


async def whole_or_halves(
    connection: Any,
    keys: Sequence[T],
    read: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
    aside: Callable[[T, Exception], Awaitable[None]],
    probe: Callable[[], Awaitable[bool]] | None = None,
) -> list[R]:
    """Like `halves_apart`, for a connection without a transaction: one statement if nothing
    fails."""
    try:
        return list(await read(keys))
    except MAY_BE_ROWS:
        pass
    async with connection.transaction():
        return await halves_apart(connection, keys, read, aside, probe)


async def check_readable(
    many: int,
    failed: Sequence[tuple[object, Exception]],
    probe: Callable[[], Awaitable[bool]] | None = None,
) -> None:
    """So many rows were tried and these failed. Raise the error of the first if the server cannot
    read any row, because then the server is the cause.

    Args:
        probe: whether any other row can be read; None if no other is known.
    """
    unread = [error for _, error in failed if isinstance(error, UNREAD)]
    if unread and len(unread) == many and not (probe and await probe()):
        raise unread[0]


async def always() -> bool:
    """The probe for work that can continue without its rows: rows that cannot be read never mean
    that the server has a problem, because that work fails by itself if the server does."""
    return True


def newest_of(table: str) -> str:
    """The statement for `can_read_another` if any row of that table will do."""
    return f"SELECT num FROM {table} WHERE NOT num = ANY($1::bigint[]) ORDER BY num DESC LIMIT $2"


async def can_read_another(
    connection: Any, others: str, nums: Sequence[int], read: Callable[[int], Awaitable[object]]
) -> bool:
    """Whether the server can read any row except these.

    Args:
        others: the statement for numbers of other rows, the most likely ones first: without those
        in `$1`, and at most `$2`.
    """
    for row in await connection.fetch(others, list(nums), OTHERS_MAX):
        try:
            async with connection.transaction():  # a savepoint
                await read(row["num"])
            return True
        except ABOUT_ROWS:
            return True
        except UNREAD:
            pass  # the next one
    return False

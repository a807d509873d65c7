"""Rows that fail for their content, each alone: how a claim goes on without them.

    await each_apart(connection, found, one, aside)

A claim works on all of its rows at once, and costs nothing for this. Only where that fails for its
content it begins again, one row after the other, each under a savepoint of its own.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncpg

from actors.adapters.postgres.planning import use_indexes
from protocol.errors import Unavailable, in_words

T = TypeVar("T")
R = TypeVar("R")


# What we sent, or what is stored, breaks a rule: of a type, of a table, of a trigger, or a limit of
# the server's. Corrupted data is not among them: it may be an index that all rows need.
CONTENT = (
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


class Poison(Exception):
    """What was computed from a row failed; its cause says why."""


ABOUT_ROWS = (Poison, *CONTENT)


def is_content(error: BaseException) -> bool:
    """Whether it is about what rows contain: another try at once would fail alike."""
    return isinstance(error, ABOUT_ROWS)


def cause_of(error: Exception) -> Exception:
    """The error of ours that a `Poison` carries."""
    cause = error.__cause__
    return cause if isinstance(error, Poison) and isinstance(cause, Exception) else error


def computed(call: Callable[..., T], *args: Any) -> T:
    """`call(*args)`: our own code on a row inside a transaction.

    Raises:
        Poison: it failed, whatever it failed with: it had nothing but the row.
        Unavailable: it is about a server, not about the row.
    """
    try:
        return call(*args)
    except Unavailable:
        raise
    except Exception as error:
        raise Poison(in_words(error)) from error


async def whole_or_apart(connection: Any, work: Callable[..., Awaitable[T]], *args: Any) -> T:
    """`work(connection, …, apart=False)` in a transaction; where that fails for its content, in
    another one with `apart=True`."""
    try:
        async with connection.transaction():
            await use_indexes(connection)
            return await work(connection, *args, apart=False)
    except ABOUT_ROWS:
        pass  # the transaction is undone; below it begins again, row by row
    async with connection.transaction():
        await use_indexes(connection)
        return await work(connection, *args, apart=True)


async def halves_apart(
    connection: Any,
    keys: Sequence[T],
    read: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
    aside: Callable[[T, Exception], Awaitable[None]],
) -> list[R]:
    """What `read(keys)` answers; where that fails for what rows contain, what its halves do.

    One bad row of n costs about 2 log2(n) statements.
    """
    try:
        async with connection.transaction():  # a savepoint
            return list(await read(keys))
    except ABOUT_ROWS as error:
        cause = cause_of(error)
    if len(keys) == 1:
        await aside(keys[0], cause)
        return []
    half = len(keys) // 2
    first = await halves_apart(connection, keys[:half], read, aside)
    return [*first, *await halves_apart(connection, keys[half:], read, aside)]


async def each_apart(
    connection: Any,
    rows: Sequence[Any],
    one: Callable[[Any], Awaitable[T]],
    aside: Callable[[Any, Exception], Awaitable[None]],
) -> list[T]:
    """`one(row)` for each; what fails for its content is undone and goes to `aside`."""
    done: list[T] = []
    for row in rows:
        try:
            async with connection.transaction():  # a savepoint
                done.append(await one(row))
        except ABOUT_ROWS as error:
            await aside(row, cause_of(error))
    return done

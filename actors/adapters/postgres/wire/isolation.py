"""Rows that fail, each alone: how what works on many goes on without them.

    await whole_or_apart(connection, work, …)

What works on many rows does so at once, and costs nothing for this. Only where that fails it begins
again, one row after the other (`claims`) or in halves, each under a savepoint of its own.

What a row contains is its own fault. Where the server cannot read what it has stored, that may be
one row, or something that all rows need: it is the row's where another one can be read, and else
the server's.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncpg

from actors.adapters.postgres.wire.plans import use_indexes
from protocol.errors import Unavailable, in_words

T = TypeVar("T")
R = TypeVar("R")


# What we sent, or what is stored, breaks a rule: of a type, of a table, of a trigger, or a limit of
# the server's; or a stored text is none. Corrupted data is not among them (`UNREAD`).
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
# Something that is stored could not be read, for one reason or the other.
UNREADABLE = (UnicodeDecodeError, *UNREAD)
# Rows that are tried where none can be read of those that are wanted.
OTHERS_MAX = 10


class Poison(Exception):
    """What was computed from a row failed; its cause says why."""


ABOUT_ROWS = (Poison, *CONTENT)
MAY_BE_ROWS = (*ABOUT_ROWS, *UNREAD)


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
    """`work(connection, …, apart=False)` in a transaction; where that fails for what may be one of
    its rows, in another one with `apart=True`."""
    try:
        async with connection.transaction():
            await use_indexes(connection)
            return await work(connection, *args, apart=False)
    except MAY_BE_ROWS:
        pass  # the transaction is undone; below it begins again, row by row
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
    """What `read(keys)` answers; where that fails for what rows contain, what its halves do.

    One bad row of n costs about 2 log2(n) statements.

    Args:
        probe: as of `check_readable`.
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
    """As `halves_apart`, for a connection without a transaction: one statement where nothing
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
    """Of so many rows, these failed: raises the error of the first where the server can read none,
    because then it is in trouble.

    Args:
        probe: whether any other row can be read; None where none is known.
    """
    unread = [error for _, error in failed if isinstance(error, UNREAD)]
    if unread and len(unread) == many and not (probe and await probe()):
        raise unread[0]


async def always() -> bool:
    """The probe where rows that cannot be read never mean that the server is in trouble: what asks
    for them has work to do without them, and that fails by itself where the server is."""
    return True


def newest_of(table: str) -> str:
    """The statement for `can_read_another` where any row of that table will do."""
    return f"SELECT num FROM {table} WHERE NOT num = ANY($1::bigint[]) ORDER BY num DESC LIMIT $2"


async def can_read_another(
    connection: Any, others: str, nums: Sequence[int], read: Callable[[int], Awaitable[object]]
) -> bool:
    """Whether the server can read any row but these.

    Args:
        others: the statement for numbers of some, the likelier ones first; by `$1` without these,
            `$2` of them at most.
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

"""Minutes whose sums fail because of their readings: found by bisection, and put aside as dead
letters.

A minute that was put aside stays among the late minutes, held, so charts still compute it from the
readings. It is retried when its letter is due.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from actors.adapters.postgres import dead_letters
from actors.adapters.postgres.wire.isolation import MAY_BE_ROWS, UNREAD
from actors.adapters.postgres.wire.rows import columns
from protocol.dead_letters import ROLLUPS, USER_SUMS, reason_of, rollup_of

Pair = tuple[int, int]  # a feed, and a minute since 1970
Sum = Callable[[Any, Sequence[Pair]], Awaitable[None]]

# Per turn; what is not tried by then waits for the next turn.
FAILED_MAX = 20
RETRIED_MAX = 100

_HOLD = """
INSERT INTO rollup_late (user_id, feed_num, minute, held)
SELECT f.user_id, p.feed_num, p.minute, p.held
FROM unnest($1::integer[], $2::integer[], $3::boolean[]) AS p (feed_num, minute, held)
JOIN feeds f ON f.num = p.feed_num
"""
_RELEASE = """
DELETE FROM rollup_late l USING unnest($1::integer[], $2::integer[]) AS p (feed_num, minute)
WHERE l.held AND l.feed_num = p.feed_num AND l.minute = p.minute
"""
_HELD_USER = "UPDATE user_rollups_stale SET held = $2 WHERE user_id = $1::text::uuid"


async def summed(connection: Any, pairs: Sequence[Pair], sum_all: Sum, now_us: int) -> list[str]:
    """`sum_all` for all these pairs except those that fail by themselves.

    Returns the subjects of the dead letters of those for which it was not done.

    Raises:
        asyncpg.InternalServerError: the server cannot read the readings of any of them.
    """
    failed: list[tuple[Pair, Exception]] = []
    has_done = False
    waiting = [list(pairs)]
    while waiting and len(failed) < FAILED_MAX:
        some = waiting.pop()
        error = await tried(connection, sum_all, some)
        has_done |= error is None
        if error is not None and len(some) == 1:
            failed.append((some[0], error))
        elif error is not None:
            half = len(some) // 2
            waiting += [some[half:], some[:half]]
    if not has_done and all(isinstance(error, UNREAD) for _, error in failed):
        raise failed[0][1]
    held = [(*pair, False) for some in waiting for pair in some]
    for pair, error in failed:
        next_us = await dead_letters.put_aside(
            connection, ROLLUPS, subject_of(*pair), reason_of(error), now_us=now_us
        )
        # Without a letter, nothing would ever release it.
        held.append((*pair, next_us is not None))
    if held:
        await connection.execute(_HOLD, *columns(held, 3))
    return [subject_of(feed_num, minute) for feed_num, minute, _ in held]


async def tried(connection: Any, work: Callable[..., Awaitable[None]], *args: Any) -> Any:
    """`work(connection, *args)` in a savepoint; return the error that its content caused, if
    any."""
    try:
        async with connection.transaction():
            await work(connection, *args)
    except MAY_BE_ROWS as error:
        return error
    return None


async def hold_user(connection: Any, user_id: str, error: Exception, now_us: int) -> None:
    """The sums of this user stay stale; those of the feeds are used instead."""
    next_us = await dead_letters.put_aside(
        connection,
        ROLLUPS,
        subject_of_user(user_id),
        reason_of(error),
        now_us=now_us,
        user_id=user_id,
    )
    await connection.execute(_HELD_USER, user_id, next_us is not None)


async def released(connection: Any, now_us: int) -> tuple[list[Pair], list[str]]:
    """Pairs and users that are due for their next try. A letter whose subject cannot exist is
    deleted."""
    letters = await dead_letters.due(connection, ROLLUPS, now_us, RETRIED_MAX)
    pairs: list[Pair] = []
    users: list[str] = []
    nonsense: list[str] = []
    for letter in letters:
        match rollup_of(letter.subject):
            case None:
                nonsense.append(letter.subject)
            case str(user_id):
                users.append(user_id)
                await connection.execute(_HELD_USER, user_id, False)
            case pair:
                pairs.append(pair)
    if pairs:
        await connection.execute(_RELEASE, *columns(pairs, 2))
    if nonsense:
        await dead_letters.clear(connection, ROLLUPS, nonsense)
    return pairs, users


def subject_of(feed_num: int, minute: int) -> str:
    return f"{feed_num}/{minute}"


def subject_of_user(user_id: str) -> str:
    return USER_SUMS + user_id

"""Commands that are due for their next try: they are claimed, and noted as sent."""

from collections.abc import Sequence
from operator import gt
from typing import Any

from actors.adapters.postgres import commands as stored
from actors.adapters.postgres.commands import (
    COMMAND,
    FROM,
    IS_HELD,
    IS_OPEN,
    NO_PAYLOAD,
    SUBJECT,
    command,
    row_of,
    settle,
    update,
)
from actors.adapters.postgres.wire.claims import Work, each_apart
from actors.adapters.postgres.wire.isolation import computed, newest_of, whole_or_apart
from actors.adapters.postgres.wire.plans import use_indexes
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.adapters.postgres.wire.rows import columns
from actors.ports.time import Claimed, Progress
from protocol.dead_letters import COMMANDS
from protocol.device import commands
from protocol.device.commands import AGAIN_MAX_S, NEXT_MAX_US, Command, CommandKey

# 0: never sent. The index uses the same expression.
_TRIED = "least(c.attempts, 1)"


def _due(selected: str) -> str:
    # The few rows that are taken are found first, by the index alone, and read when they are locked
    # (see `schedule_claims`). `astray`: their next try is later than any that is ever set, because
    # the clock was set back. A command that was put aside does not block others of its device.
    # Commands that were never sent go first, up to four of five. So many unanswered commands do not
    # delay a new one, and many new ones do not delay an expiry.
    return f"""
WITH first AS MATERIALIZED (
    SELECT * FROM commands c WHERE {IS_OPEN} AND {_TRIED} = 0 AND c.next_try_at <= $1
    ORDER BY c.next_try_at LIMIT $4 FOR UPDATE SKIP LOCKED
), again AS MATERIALIZED (
    SELECT * FROM commands c WHERE {IS_OPEN} AND {_TRIED} = 1 AND c.next_try_at <= $1
    ORDER BY c.next_try_at LIMIT $2 - (SELECT count(*) FROM first) FOR UPDATE SKIP LOCKED
), due AS (SELECT * FROM first UNION ALL SELECT * FROM again), astray AS MATERIALIZED (
    SELECT * FROM commands c WHERE {IS_OPEN} AND {_TRIED} IN (0, 1) AND c.next_try_at > $3
    ORDER BY c.next_try_at LIMIT $2 - (SELECT count(*) FROM due) FOR UPDATE SKIP LOCKED
), taken AS (SELECT * FROM due UNION ALL SELECT * FROM astray)
SELECT {selected}, NOT c.parallel AND EXISTS (SELECT FROM commands e
        WHERE e.device_num = c.device_num AND e.num < c.num AND NOT e.parallel
        AND e.state IN ('queued', 'sent') AND NOT EXISTS (SELECT FROM dead_letters l
            WHERE l.work = 'commands' AND l.subject = e.user_id || '/' || e.id)) AS blocked
FROM taken c JOIN devices d ON d.num = c.device_num
ORDER BY {_TRIED}, c.next_try_at, c.num
"""


_DUE = _due(COMMAND)
_DUE_KEYS = _due(f"c.num, {SUBJECT} AS id, c.user_id::text")

_NEXT = f"""
SELECT least(
    (SELECT min(c.next_try_at) FROM commands c WHERE {IS_OPEN} AND {_TRIED} = 0),
    (SELECT min(c.next_try_at) FROM commands c WHERE {IS_OPEN} AND {_TRIED} = 1))
"""


# Like `commands.noted_as_sent`, in one statement; rows are locked in the order of their numbers.
# The state is checked last: with a condition on the table, all open commands would be read by their
# index. The result includes commands that this very note made `sent` before, because that answer
# may have been lost.
_SENT = """
WITH noted AS MATERIALIZED (
    SELECT c.num, c.user_id, c.id, c.state, c.version, c.sent_at, i.at FROM commands c
    JOIN unnest($1::text[], $2::text[], $3::timestamptz[]) AS i (user_id, id, at)
    ON c.id = i.id::uuid AND c.user_id = i.user_id::uuid
    ORDER BY c.num FOR UPDATE OF c),
changed AS (UPDATE commands c SET state = 'sent', sent_at = noted.at, version = c.version + 1
    FROM noted WHERE noted.state = 'queued' AND c.num = noted.num
    RETURNING c.user_id, c.id, c.version)
SELECT user_id::text, id::text, version FROM changed
UNION ALL SELECT user_id::text, id::text, version FROM noted WHERE state = 'sent' AND sent_at = at
"""

_WORK = Work(
    name=COMMANDS,
    table="commands",
    due="next_try_at",
    row=f"SELECT {COMMAND} FROM {FROM} WHERE c.num = $1",
    others=newest_of("commands"),
    pause_max_s=AGAIN_MAX_S,
)

# Commands to send, and what changed.
_Tried = tuple[tuple[Command, ...], Progress]


async def claim_commands(connection: Any, now_us: int, limit: int) -> Claimed:
    return await whole_or_apart(connection, _claim, now_us, limit)


async def _claim(connection: Any, now_us: int, limit: int, *, apart: bool) -> Claimed:
    firsts = commands.firsts_of(limit)
    statement = _DUE_KEYS if apart else _DUE
    found = await connection.fetch(statement, now_us, limit, now_us + NEXT_MAX_US, firsts)

    async def one(key: Any, row: Any) -> _Tried:
        return await _try(connection, now_us, [(row, key["blocked"])])

    async def instead(key: Any) -> _Tried | None:
        return await _expire(connection, now_us, key["num"])

    if apart:
        done = await each_apart(connection, _WORK, found, one, now_us=now_us, instead=instead)
    else:
        done = [await _try(connection, now_us, [(row, row["blocked"]) for row in found])]
    next_us = await connection.fetchval(_NEXT)
    changed = Progress(
        commands=tuple(each for _, progress in done for each in progress.commands),
        occurrences=tuple(each for _, progress in done for each in progress.occurrences),
        told=any(progress.told for _, progress in done),
    )
    send = tuple(each for sent, _ in done for each in sent)
    return Claimed(send=send, changed=changed, next_us=next_us)


async def _try(connection: Any, now_us: int, found: Sequence[tuple[Any, bool]]) -> _Tried:
    """What is to be sent of locked rows, and what changed as others have expired.

    Args:
        found: rows, and whether they wait behind another one.
    """
    send: list[Command] = []
    expired: list[Command] = []
    put_off: list[Command] = []
    for row, blocked in found:
        tried = computed(_tried, row, blocked, now_us)
        if tried.state == commands.EXPIRED:
            expired.append(tried)
        else:
            (put_off if blocked else send).append(tried)
    await update(connection, [*send, *put_off])
    changed = await settle(connection, expired, now_us) if expired else Progress()
    return tuple(send), changed


def _tried(row: Any, blocked: bool, now_us: int) -> Command:
    return commands.tried(command(row), blocked=blocked, now_us=now_us)


async def _expire(connection: Any, now_us: int, num: int) -> _Tried | None:
    """A row that failed ends at its time all the same, without its payload; None before that."""
    row = await row_of(connection, NO_PAYLOAD, num)
    if row is None or computed(gt, row["expires_at"], now_us):
        return None
    return await _try(connection, now_us, [(row, False)])


async def commands_sent(
    connection: Any, sent: Sequence[tuple[CommandKey, int]]
) -> dict[CommandKey, int]:
    async with connection.transaction():
        await use_indexes(connection)
        found = await connection.fetch(_SENT, *_noted(sent))
    return {(row["user_id"], row["id"]): row["version"] for row in found}


def _noted(notes: Sequence[tuple[CommandKey, int]]) -> list[list[Any]]:
    return columns([(*key, at_us) for key, at_us in notes], 3)


async def commands_unsent(connection: Any, again: Sequence[tuple[CommandKey, int]]) -> None:
    await connection.execute(
        "UPDATE commands c SET next_try_at = least(a.at, c.expires_at)"
        " FROM unnest($1::text[]::uuid[], $2::text[]::uuid[], $3::timestamptz[])"
        f" AS a (user_id, id, at) WHERE c.id = a.id AND c.user_id = a.user_id AND {IS_OPEN}",
        *_noted(again),
    )


async def nudge_commands(connection: Any, device_nums: Sequence[int], now_us: int) -> None:
    await connection.execute(
        f"UPDATE commands c SET next_try_at = $2 WHERE c.device_num = ANY($1) AND {IS_OPEN}"
        f" AND c.next_try_at > $2 AND NOT {IS_HELD.format(now='$2')}",
        list(device_nums),
        now_us,
    )


class CommandCalls(PooledCalls):
    """See `actors.ports.time.CommandStore`."""

    async def add_command(self, command: Command) -> Command:
        return await self._work(stored.add_command, command)

    async def cancel_command(self, user_id: str, command_id: str, now_us: int) -> Progress:
        return await self._work(stored.cancel_command, user_id, command_id, now_us)

    async def claim_commands(self, now_us: int, limit: int) -> Claimed:
        return await self._work(claim_commands, now_us, limit)

    async def commands_sent(self, sent: Sequence[tuple[CommandKey, int]]) -> dict[CommandKey, int]:
        return await self._work(commands_sent, sent)

    async def commands_unsent(self, again: Sequence[tuple[CommandKey, int]]) -> None:
        await self._work(commands_unsent, again)

    async def nudge_commands(self, device_nums: Sequence[int], now_us: int) -> None:
        await self._work(nudge_commands, device_nums, now_us)

"""Commands: the outbox to devices, and what devices say of them."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from actors.adapters.postgres.crossing import Crossing
from actors.adapters.postgres.dead_letters import hold
from actors.adapters.postgres.delivering import announce
from actors.adapters.postgres.following import follow
from actors.adapters.postgres.isolating import computed, each_apart, whole_or_apart
from actors.adapters.postgres.planning import use_indexes
from actors.adapters.postgres.rows import columns
from actors.ports.time import Claimed, Progress
from protocol import commands
from protocol.commands import NEXT_MAX_US, OPEN, Command
from protocol.dead_letters import COMMANDS
from protocol.errors import Conflict
from protocol.records import AckChange

# Of one device: a bound for a device that never answers, and for whoever commands it.
OPEN_MAX = 1_000

COMMAND = (
    "c.num, c.id::text, c.user_id::text, d.id::text AS device_id, c.device_num,"
    " d.code AS device_code, c.type, c.payload, c.state, c.parallel, c.created_at, c.expires_at,"
    " c.next_try_at, c.attempts, c.sent_at, c.delivered_at, c.finished_at, c.detail, c.result,"
    " c.version"
)
FROM = "commands c JOIN devices d ON d.num = c.device_num"
IS_OPEN = "c.state IN ('queued', 'sent')"

INSERT_WIDTH = 11
# Its parameters are those of `inserted`.
INSERT = """
INSERT INTO commands (id, user_id, device_num, type, payload, state, parallel, created_at,
    expires_at, next_try_at, attempts, detail, version)
SELECT i.id::uuid, i.user_id::uuid, i.device_num, i.type, i.payload, i.state, i.parallel,
    i.created_at, i.expires_at, i.next_try_at, i.attempts, '', 0
FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[],
    $7::boolean[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::integer[])
    AS i (id, user_id, device_num, type, payload, state, parallel, created_at, expires_at,
        next_try_at, attempts)
"""

_UPDATE = """
UPDATE commands c SET state = i.state, next_try_at = i.next_try_at, attempts = i.attempts,
    sent_at = i.sent_at, delivered_at = i.delivered_at, finished_at = i.finished_at,
    detail = i.detail, result = i.result, version = i.version
FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::integer[], $5::timestamptz[],
    $6::timestamptz[], $7::timestamptz[], $8::text[], $9::text[], $10::integer[])
    AS i (num, state, next_try_at, attempts, sent_at, delivered_at, finished_at, detail, result,
        version)
WHERE c.num = i.num
"""

# 0: never sent; as in the index.
_TRIED = "least(c.attempts, 1)"

# The few that are taken are found first, by the index alone, and read as they are when they are
# locked (see `schedules`). `astray`: their next try is further away than any is put; the clock was
# set back. What was put aside holds up no other of its device. What was never sent goes first, up
# to four of five: many that nobody answers hold up no new one, and many new ones hold up no expiry.
_DUE = f"""
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
SELECT {COMMAND}, NOT c.parallel AND EXISTS (SELECT FROM commands e
        WHERE e.device_num = c.device_num AND e.num < c.num AND NOT e.parallel
        AND e.state IN ('queued', 'sent') AND NOT EXISTS (SELECT FROM dead_letters l
            WHERE l.work = 'commands' AND l.subject = e.id::text)) AS blocked
FROM taken c JOIN devices d ON d.num = c.device_num
ORDER BY {_TRIED}, c.next_try_at, c.num
"""

_NEXT = f"""
SELECT least(
    (SELECT min(c.next_try_at) FROM commands c WHERE {IS_OPEN} AND {_TRIED} = 0),
    (SELECT min(c.next_try_at) FROM commands c WHERE {IS_OPEN} AND {_TRIED} = 1))
"""


# As `commands.noted_as_sent`, in one statement; locked in the order of their numbers. The state is
# looked at last: asked for in the table, all open commands would be read from their index.
# Those that this very note made `sent` before are among the answer: that one may have been lost.
_SENT = """
WITH noted AS MATERIALIZED (SELECT c.num, c.id, c.state, c.version, c.sent_at, i.at FROM commands c
    JOIN unnest($1::text[], $2::timestamptz[]) AS i (id, at) ON c.id = i.id::uuid
    ORDER BY c.num FOR UPDATE OF c),
changed AS (UPDATE commands c SET state = 'sent', sent_at = noted.at, version = c.version + 1
    FROM noted WHERE noted.state = 'queued' AND c.num = noted.num RETURNING c.id, c.version)
SELECT id::text, version FROM changed
UNION ALL SELECT id::text, version FROM noted WHERE state = 'sent' AND sent_at = at
"""


def command(row: Any) -> Command:
    return Command(
        num=row["num"],
        id=row["id"],
        user_id=row["user_id"],
        device_id=row["device_id"],
        device_num=row["device_num"],
        device_code=row["device_code"],
        type=row["type"],
        payload=row["payload"],
        state=row["state"],
        parallel=row["parallel"],
        created_us=row["created_at"],
        expires_us=row["expires_at"],
        next_try_us=row["next_try_at"],
        attempts=row["attempts"],
        sent_us=row["sent_at"],
        delivered_us=row["delivered_at"],
        finished_us=row["finished_at"],
        detail=row["detail"],
        result=row["result"],
        version=row["version"],
    )


def inserted(new: Sequence[Command]) -> list[list[Any]]:
    """The parameters of `INSERT`."""
    rows = [
        (
            c.id,
            c.user_id,
            c.device_num,
            c.type,
            c.payload,
            c.state,
            c.parallel,
            c.created_us,
            c.expires_us,
            c.next_try_us,
            c.attempts,
        )
        for c in new
    ]
    return columns(rows, INSERT_WIDTH)


async def insert(connection: Any, new: Sequence[Command]) -> None:
    await connection.execute(INSERT, *inserted(new))


async def update(connection: Any, changed: Sequence[Command]) -> None:
    """Write what became of rows that this transaction has locked."""
    rows = [
        (
            c.num,
            c.state,
            c.next_try_us,
            c.attempts,
            c.sent_us,
            c.delivered_us,
            c.finished_us,
            c.detail,
            c.result,
            c.version,
        )
        for c in changed
    ]
    if rows:
        await connection.execute(_UPDATE, *columns(rows, 10))


async def add_command(connection: Any, new: Command) -> Command:
    async with connection.transaction():
        # One after the other for each device: so numbers grow in the order of asking.
        await connection.execute(
            "SELECT FROM devices WHERE num = $1 FOR NO KEY UPDATE", new.device_num
        )
        known = await _command(connection, "c.id = $1::text::uuid", new.id)
        if known is not None:
            if (known.user_id, known.device_num) != (new.user_id, new.device_num):
                raise Conflict("this id is taken")
            return known
        waiting = await connection.fetchval(
            f"SELECT count(*) FROM commands c WHERE c.device_num = $1 AND {IS_OPEN}",
            new.device_num,
        )
        if waiting >= OPEN_MAX:
            raise Conflict(f"{OPEN_MAX} commands wait for this device already")
        try:
            await insert(connection, [new])
        except asyncpg.ForeignKeyViolationError:
            raise Conflict("the device is gone") from None
        except asyncpg.UniqueViolationError:
            raise Conflict("this id is taken") from None
        added = await _command(connection, "c.id = $1::text::uuid", new.id)
        assert added is not None
        return added


async def command_of(connection: Any, user_id: str, command_id: str) -> Command | None:
    return await _command(
        connection, "c.user_id = $1::text::uuid AND c.id = $2::text::uuid", user_id, command_id
    )


async def _command(connection: Any, where: str, *args: Any) -> Command | None:
    row = await connection.fetchrow(f"SELECT {COMMAND} FROM {FROM} WHERE {where}", *args)
    return None if row is None else command(row)


async def cancel_command(connection: Any, user_id: str, command_id: str, now_us: int) -> Progress:
    async with connection.transaction():
        row = await connection.fetchrow(
            f"SELECT {COMMAND} FROM {FROM} WHERE c.user_id = $1::text::uuid"
            " AND c.id = $2::text::uuid FOR UPDATE OF c",
            user_id,
            command_id,
        )
        if row is None:
            return Progress()
        known = command(row)
        if known.state not in OPEN:
            raise Conflict(f"the command is {known.state} already")
        ended = commands.ended(known, commands.CANCELLED, now_us, "cancelled")
        return await settle(connection, [ended], now_us)


async def settle(connection: Any, changed: Sequence[Command], now_us: int) -> Progress:
    """Write changed commands, and what follows: their occurrences, what waited behind them, and
    what webhooks are told."""
    await update(connection, changed)
    over = sorted({c.device_num for c in changed if c.state not in OPEN and not c.parallel})
    if over:
        await connection.execute(
            f"UPDATE commands c SET next_try_at = least($2, c.expires_at)"
            f" WHERE c.device_num = ANY($1) AND {IS_OPEN} AND c.attempts = 0",
            over,
            now_us,
        )
    occurrences = await follow(connection, changed)
    told = await announce(connection, now_us, commands=changed, occurrences=occurrences)
    return Progress(commands=tuple(changed), occurrences=occurrences, told=told)


async def claim_commands(connection: Any, now_us: int, limit: int) -> Claimed:
    return await whole_or_apart(connection, _claim, now_us, limit)


async def _claim(connection: Any, now_us: int, limit: int, *, apart: bool) -> Claimed:
    firsts = commands.firsts_of(limit)
    found = await connection.fetch(_DUE, now_us, limit, now_us + NEXT_MAX_US, firsts)

    async def aside(row: Any, error: Exception) -> None:
        next_us = await hold(
            connection,
            COMMANDS,
            row["id"],
            error,
            now_us=now_us,
            user_id=row["user_id"],
            pause_max_s=commands.AGAIN_MAX_S,
        )
        await connection.execute(
            "UPDATE commands SET next_try_at = $2 WHERE num = $1", row["num"], next_us
        )

    async def one(row: Any) -> tuple[tuple[Command, ...], Progress]:
        return await _try(connection, now_us, [row])

    if apart:
        done = await each_apart(connection, found, one, aside)
    else:
        done = [await _try(connection, now_us, found)]
    next_us = await connection.fetchval(_NEXT)
    changed = Progress(
        commands=tuple(each for _, progress in done for each in progress.commands),
        occurrences=tuple(each for _, progress in done for each in progress.occurrences),
        told=any(progress.told for _, progress in done),
    )
    send = tuple(each for sent, _ in done for each in sent)
    return Claimed(send=send, changed=changed, next_us=next_us)


async def _try(
    connection: Any, now_us: int, found: Sequence[Any]
) -> tuple[tuple[Command, ...], Progress]:
    """What is to be sent of locked rows, and what changed as others have expired."""
    send: list[Command] = []
    expired: list[Command] = []
    put_off: list[Command] = []
    for row in found:
        tried = computed(_tried, row, now_us)
        if tried.state == commands.EXPIRED:
            expired.append(tried)
        else:
            (put_off if row["blocked"] else send).append(tried)
    await update(connection, [*send, *put_off])
    changed = await settle(connection, expired, now_us) if expired else Progress()
    return tuple(send), changed


def _tried(row: Any, now_us: int) -> Command:
    return commands.tried(command(row), blocked=row["blocked"], now_us=now_us)


async def commands_sent(connection: Any, sent: Sequence[tuple[str, int]]) -> dict[str, int]:
    async with connection.transaction():
        await use_indexes(connection)
        found = await connection.fetch(_SENT, *columns(sent, 2))
    return {row["id"]: row["version"] for row in found}


async def commands_unsent(connection: Any, ids: Sequence[str], next_us: int) -> None:
    await connection.execute(
        "UPDATE commands c SET next_try_at = least($2, c.expires_at)"
        f" WHERE c.id = ANY($1::text[]::uuid[]) AND {IS_OPEN}",
        list(ids),
        next_us,
    )


async def nudge_commands(connection: Any, device_nums: Sequence[int], now_us: int) -> None:
    await connection.execute(
        f"UPDATE commands c SET next_try_at = $2 WHERE c.device_num = ANY($1) AND {IS_OPEN}"
        " AND c.next_try_at > $2",
        list(device_nums),
        now_us,
    )


async def acknowledge(
    connection: Any, acks: Sequence[AckChange], *, done: bool
) -> tuple[Progress, tuple[AckChange, ...]]:
    """What devices said of commands: what changed, and what is of no command of theirs.

    `done`: it was written before, and only its answer was lost.
    """
    found = await connection.fetch(
        f"SELECT {COMMAND} FROM {FROM} WHERE c.id = ANY($1::text[]::uuid[])"
        " ORDER BY c.num FOR UPDATE OF c",
        sorted({ack.command_id for ack in acks}),
    )
    known = {row["id"]: computed(command, row) for row in found}
    unknown = []
    for ack in acks:
        mine = known.get(ack.command_id)
        if mine is None or mine.device_num != ack.device_num:
            unknown.append(ack)
        elif not done:
            known[ack.command_id] = computed(commands.acked, mine, ack.ack)
    changed = list(known.values())
    if done:
        return Progress(commands=tuple(changed), told=True), tuple(unknown)
    return await settle(connection, changed, _latest_us(acks)), tuple(unknown)


def _latest_us(acks: Sequence[AckChange]) -> int:
    """When the last of them arrived."""
    return max(ack.otherwise.received_us for ack in acks)


class CommandCalls(Crossing):
    """See `actors.ports.time.CommandStore`."""

    async def add_command(self, command: Command) -> Command:
        return await self._work(add_command, command)

    async def command(self, user_id: str, command_id: str) -> Command | None:
        return await self._work(command_of, user_id, command_id)

    async def cancel_command(self, user_id: str, command_id: str, now_us: int) -> Progress:
        return await self._work(cancel_command, user_id, command_id, now_us)

    async def claim_commands(self, now_us: int, limit: int) -> Claimed:
        return await self._work(claim_commands, now_us, limit)

    async def commands_sent(self, sent: Sequence[tuple[str, int]]) -> dict[str, int]:
        return await self._work(commands_sent, sent)

    async def commands_unsent(self, ids: Sequence[str], next_us: int) -> None:
        await self._work(commands_unsent, ids, next_us)

    async def nudge_commands(self, device_nums: Sequence[int], now_us: int) -> None:
        await self._work(nudge_commands, device_nums, now_us)

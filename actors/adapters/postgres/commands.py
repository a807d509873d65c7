"""Commands as they are stored, how they end, and devices' answers."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from actors.adapters.postgres.occurrence_sync import follow, keys_among
from actors.adapters.postgres.tables import COMMANDS
from actors.adapters.postgres.webhook_outbox import announce
from actors.adapters.postgres.wire.isolation import MAY_BE_ROWS, computed
from actors.adapters.postgres.wire.rows import columns
from actors.adapters.postgres.wire.writing import arrays, inserting, updating
from actors.ports.time import Progress
from protocol.device import commands
from protocol.device.commands import AGAIN_MAX_S, OPEN, Command
from protocol.errors import Conflict
from protocol.problems.detail import Detail
from protocol.records import AckChange

# Per device: a bound for a device that never answers, and for whoever sends it commands.
OPEN_MAX = 1_000

COMMAND, FROM = COMMANDS.selected, COMMANDS.source
IS_OPEN = "c.state IN ('queued', 'sent')"

# A command whose texts cannot be read ends, and is returned without them.
NO_PAYLOAD = COMMANDS.selected_with(payload="'null'")
_NO_TEXTS = COMMANDS.selected_with(payload="'null'", result="NULL", detail="''", coded="NULL")
# Like `subject_of_command`.
SUBJECT = "c.user_id || '/' || c.id"
# Put aside with a pause that is not over, as `hold` sets it; `{now}` is the current time.
IS_HELD = (
    f"EXISTS (SELECT FROM dead_letters l WHERE l.work = 'commands' AND l.subject = {SUBJECT}"
    f" AND least(l.next_try_at, l.last_at + interval '{AGAIN_MAX_S} seconds') > {{now}})"
)

_NEW = (
    *("id", "user_id", "device_num", "type", "payload", "state", "parallel", "created_us"),
    *("expires_us", "next_try_us", "attempts", "detail", "coded", "version"),
)
INSERT_WIDTH = len(_NEW)
INSERT = inserting(COMMANDS, _NEW)  # its parameters are those of `inserted`

_CHANGING = (
    *("state", "next_try_us", "attempts", "sent_us", "delivered_us", "finished_us"),
    *("detail", "coded", "result", "version"),
)
_UPDATE = updating(COMMANDS, _CHANGING)

command = COMMANDS.record


def inserted(new: Sequence[Command]) -> list[list[Any]]:
    """The parameters of `INSERT`."""
    return arrays(_NEW, new)


async def insert(connection: Any, new: Sequence[Command]) -> None:
    await connection.execute(INSERT, *inserted(new))


async def update(connection: Any, changed: Sequence[Command]) -> None:
    """Write changed rows, which this transaction has locked."""
    if changed:
        await connection.execute(_UPDATE, *arrays(("num", *_CHANGING), changed))


async def add_command(connection: Any, new: Command) -> Command:
    async with connection.transaction():
        # One after the other for each device, so that numbers grow in the order of the requests.
        await connection.execute(
            "SELECT FROM devices WHERE num = $1 FOR NO KEY UPDATE", new.device_num
        )
        known = await _command(connection, *new.key)
        if known is not None:
            if known.device_num != new.device_num:
                raise Conflict(Detail("id_used"))
            return known
        waiting = await connection.fetchval(
            f"SELECT count(*) FROM commands c WHERE c.device_num = $1 AND {IS_OPEN}",
            new.device_num,
        )
        if waiting >= OPEN_MAX:
            raise Conflict(Detail("commands_full", most=OPEN_MAX))
        try:
            await insert(connection, [new])
        except asyncpg.ForeignKeyViolationError:
            raise Conflict(Detail("device_deleted")) from None
        except asyncpg.UniqueViolationError:
            raise Conflict(Detail("id_used")) from None
        added = await _command(connection, *new.key)
        assert added is not None
        return added


async def _command(connection: Any, user_id: str, command_id: str) -> Command | None:
    row = await connection.fetchrow(
        f"SELECT {COMMAND} FROM {FROM} WHERE c.user_id = $1::text::uuid AND c.id = $2::text::uuid",
        user_id,
        command_id,
    )
    return None if row is None else command(row)


async def cancel_command(connection: Any, user_id: str, command_id: str, now_us: int) -> Progress:
    async with connection.transaction():
        num = await connection.fetchval(
            f"SELECT c.num FROM {FROM} WHERE c.user_id = $1::text::uuid"
            " AND c.id = $2::text::uuid FOR UPDATE OF c",
            user_id,
            command_id,
        )
        if num is None:
            return Progress()
        known = command(await _as_far_as_readable(connection, num))
        if known.state not in OPEN:
            raise Conflict(Detail("command_ended", state=known.state))
        ended = commands.ended(known, commands.CANCELLED, now_us, Detail("command_cancelled"))
        return await settle(connection, [ended], now_us)


async def _as_far_as_readable(connection: Any, num: int) -> Any:
    """The row of an existing command; without its texts if these cannot be read."""
    for selected in (COMMAND, NO_PAYLOAD):
        try:
            async with connection.transaction():  # a savepoint
                return await row_of(connection, selected, num)
        except MAY_BE_ROWS:
            continue
    return await row_of(connection, _NO_TEXTS, num)


async def row_of(connection: Any, selected: str, num: int) -> Any:
    return await connection.fetchrow(f"SELECT {selected} FROM {FROM} WHERE c.num = $1", num)


async def settle(connection: Any, changed: Sequence[Command], now_us: int) -> Progress:
    """Write changed commands, and what follows: their occurrences, commands that waited for them,
    and events for webhooks."""
    await update(connection, changed)
    over = sorted({c.device_num for c in changed if c.state not in OPEN and not c.parallel})
    if over:
        await connection.execute(
            f"UPDATE commands c SET next_try_at = least($2, c.expires_at)"
            f" WHERE c.device_num = ANY($1) AND {IS_OPEN} AND c.attempts = 0"
            f" AND NOT {IS_HELD.format(now='$2')}",
            over,
            now_us,
        )
    occurrences = await follow(connection, changed)
    told = await announce(connection, now_us, commands=changed, occurrences=occurrences)
    return Progress(commands=tuple(changed), occurrences=occurrences, told=told)


async def acknowledge(
    connection: Any, acks: Sequence[AckChange], *, done: bool, apart: bool
) -> tuple[Progress, tuple[AckChange, ...]]:
    """Devices' answers to commands: what changed, and the answers to unknown commands.

    `done`: it was written before, and only the answer of the database was lost. `apart`: rows are
    read one after the other, and without their texts if these cannot be read.
    """
    found = await connection.fetch(
        f"SELECT {'c.num' if apart else COMMAND} FROM {FROM}"
        f" WHERE {keys_among('c.user_id', 'c.id')} ORDER BY c.num FOR UPDATE OF c",
        *columns(sorted({ack.command_key for ack in acks}), 2),
    )
    if apart:
        found = [await _as_far_as_readable(connection, row["num"]) for row in found]
    known = {(row["user_id"], row["id"]): computed(command, row) for row in found}
    unknown = []
    for ack in acks:
        mine = known.get(ack.command_key)
        if mine is None or mine.device_num != ack.device_num:
            unknown.append(ack)
        elif not done:
            known[ack.command_key] = computed(commands.acked, mine, ack.ack)
    changed = list(known.values())
    if done:
        return Progress(commands=tuple(changed), told=True), tuple(unknown)
    return await settle(connection, changed, _latest_us(acks)), tuple(unknown)


def _latest_us(acks: Sequence[AckChange]) -> int:
    """When the last of them arrived."""
    return max(ack.otherwise.received_us for ack in acks)

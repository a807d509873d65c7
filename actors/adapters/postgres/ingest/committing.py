"""One batch of the writer as one statement, however many rows it has.

Readings, states of devices and digests are one statement, which PostgreSQL commits by itself: a
message that arrives alone costs one round trip. If a batch also has refusals, alarms or
acknowledgements, which are rarer, it is a transaction. Rows are sent as arrays (`unnest`), one per
column.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
import msgspec

from actors.adapters.postgres import alarms, commands, refusals
from actors.adapters.postgres.ingest import copies, storing
from actors.adapters.postgres.rollups.notes import NOTED, noted, noting
from actors.adapters.postgres.wire.isolation import UNREADABLE
from actors.adapters.postgres.wire.rows import columns, unnested
from actors.ports.store import Batch, Committed
from actors.ports.time import Progress
from protocol.errors import Fenced
from protocol.records import Reading, Rejection, StateChange, WriteUnit
from protocol.rest.charts import minutes_of

KEPT_COMMITS = 1_000  # a retry comes within seconds; this is minutes of a very busy service
KEPT_BATCHES = (
    64  # of a session's identities after they are confirmed (see `actors.ingest.redelivery`)
)

_STATE = {
    "num": "integer",
    "version": "bigint",
    "status": "text",
    "temperature": "float8",
    "humidity": "float8",
    "latitude": "float8",
    "longitude": "float8",
    "firmware": "text",
    "last_seen_at": "timestamptz",
    "state_at": "timestamptz",
    "session": "bigint",
}
_IDENTITIES = {"session": "text", "digests": "bytea"}
_CONFIRMED = {"session": "text", "no": "bigint"}

# Parameters: the batch's id, the epoch, how many readings of each unit were left out, and, from
# these numbers on, what is listed above.
_FROM = 4
_STATES_FROM = _FROM + len(storing.COLUMNS)
_MINUTES_FROM = _STATES_FROM + len(_STATE)
_IDENTITIES_FROM = _MINUTES_FROM + NOTED
_CONFIRMED_FROM = _IDENTITIES_FROM + len(_IDENTITIES)

# If another process leads, `guard` has no row, and nothing is written. A batch that was committed
# before violates the unique name in `commits` (`_NAME`), so it fails as a whole, and nothing is
# written either.
_STORE = f"""
WITH guard AS MATERIALIZED (SELECT FROM leads WHERE epoch = $2 OR $2 = 0),
{storing.storing(_FROM)}, states AS (
    UPDATE devices d SET {", ".join(f"{name} = i.{name}" for name in _STATE if name != "num")}
    FROM guard, {unnested(_STATES_FROM, _STATE)} AS i ({", ".join(_STATE)})
    WHERE d.num = i.num AND d.version < i.version
), claimed AS (
    INSERT INTO commits (id, duplicates)
    SELECT $1::text::uuid, CASE WHEN 0 = ALL($3::integer[]) AND NOT EXISTS (SELECT FROM missing)
        THEN '{{}}' ELSE ARRAY(
            SELECT r.many + coalesce(m.many, 0) FROM unnest($3) WITH ORDINALITY AS r (many, n)
            LEFT JOIN missing m ON m.unit = r.n - 1 ORDER BY r.n) END
    FROM guard RETURNING no, duplicates
), {noting(_MINUTES_FROM)}, remembered AS (
    INSERT INTO taken SELECT i.session, no, i.digests
    FROM claimed, {unnested(_IDENTITIES_FROM, _IDENTITIES)} AS i (session, digests)
), confirmed AS (
    INSERT INTO sessions_confirmed AS s SELECT i.*
    FROM guard, {unnested(_CONFIRMED_FROM, _CONFIRMED)} AS i (session, no)
    ON CONFLICT (session) DO UPDATE SET confirmed_no = excluded.confirmed_no
        WHERE s.confirmed_no < excluded.confirmed_no
), forgotten AS (
    DELETE FROM taken t USING (
        SELECT i.session, (SELECT commit_no FROM taken
            WHERE session = i.session AND commit_no <= i.no
            ORDER BY commit_no DESC OFFSET {KEPT_BATCHES} LIMIT 1) AS last
        FROM guard, {unnested(_CONFIRMED_FROM, _CONFIRMED)} AS i (session, no)
        OFFSET 0) o
    WHERE t.session = o.session AND t.commit_no <= o.last
        AND NOT EXISTS (SELECT FROM backups WHERE until > now())
)
SELECT no, duplicates FROM claimed
"""
_NAME = "commits_id_key"

_REJECTIONS = """
INSERT INTO rejected_messages
    (user_id, device_id, received_at, topic, payload, encoding, reason, detail, coded)
SELECT user_id::uuid, nullif(device_id, '')::uuid, received_at, topic, payload, encoding, reason,
    detail, coded
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
    $7::text[], $8::text[], $9::text[])
    AS i (user_id, device_id, received_at, topic, payload, encoding, reason, detail, coded)
"""


async def commit(connection: Any, batch: Batch) -> Committed:
    """Commit a batch as a whole.

    The batch is identified by its id. If a first try is still committing, this one waits; if that
    succeeds, its answer is returned again and nothing else happens.

    Raises:
        Fenced: another process leads.
    """
    try:
        return await _commit_or_answer(connection, batch, apart=False)
    except UNREADABLE:
        if not any(unit.acks for unit in batch.units):
            raise
    return await _commit_or_answer(connection, batch, apart=True)


async def _commit_or_answer(connection: Any, batch: Batch, *, apart: bool) -> Committed:
    """Like `commit`; `apart`: commands are read one after the other."""
    try:
        committed = await _commit(connection, batch, apart=apart)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _NAME:
            raise
        committed = None
    if committed is None:
        return await _done_before(connection, batch, apart=apart)
    if committed.no % KEPT_COMMITS == 0:
        await connection.execute("DELETE FROM commits WHERE no < $1", committed.no - KEPT_COMMITS)
    return committed


async def _commit(connection: Any, batch: Batch, *, apart: bool) -> Committed | None:
    """Returns None if another process leads."""
    if not _has_more(batch.units):
        return await _store(connection, batch)
    async with connection.transaction():
        committed = await _store(connection, batch)
        if committed is None:
            return None
        return await _store_more(connection, batch, committed, apart=apart)


def _has_more(units: Iterable[WriteUnit]) -> bool:
    return any(u.rejections or u.not_kept or u.alarms or u.acks for u in units)


async def _store(connection: Any, batch: Batch) -> Committed | None:
    """The parts that nearly every message has."""
    units = batch.units
    mine: Sequence[Sequence[Reading]] = [unit.readings for unit in units]
    left_out: list[int] | None = None
    if copies.has_copies(units):
        mine, left_out = await copies.readings_of(connection, units)
    readings, repeated = storing.rows_of(mine)
    if left_out is not None:
        repeated = [sum(each) for each in zip(repeated, left_out, strict=True)]
    states = _state_rows(unit.state for unit in units if unit.state is not None)
    row = await connection.fetchrow(
        _STORE,
        batch.id,
        batch.epoch,
        repeated,
        *readings,
        *columns(states, len(_STATE)),
        *noted(minutes_of(reading for some in mine for reading in some)),
        *columns(_digests(units), len(_IDENTITIES)),
        *columns(sorted(batch.confirmed.items()), len(_CONFIRMED)),
    )
    if row is None:
        return None
    return Committed(no=row["no"], duplicates=row["duplicates"] or [0] * len(units))


async def _store_more(
    connection: Any, batch: Batch, committed: Committed, *, apart: bool
) -> Committed:
    """All other parts, in the same transaction."""
    kept, listed = await copies.rejections_of(connection, batch.units)
    await _store_rejections(connection, [*kept, *listed])
    await refusals.count(connection, refusals.counts_of(batch.units))
    no, duplicates = committed.no, committed.duplicates
    answer = await _answer(connection, no, batch, duplicates, done=False, apart=apart)
    return msgspec.structs.replace(answer, listed=tuple(listed))


async def _done_before(connection: Any, batch: Batch, *, apart: bool) -> Committed:
    """The answer of a try that was committed. Raises `Fenced` if there is none."""
    async with connection.transaction():
        done = await connection.fetchrow(
            "SELECT no, duplicates FROM commits WHERE id = $1::text::uuid", batch.id
        )
        if done is None:
            raise Fenced("another process leads")
        duplicates = done["duplicates"] or [0] * len(batch.units)
        return await _answer(connection, done["no"], batch, duplicates, done=True, apart=apart)


async def _answer(
    connection: Any,
    no: int,
    batch: Batch,
    duplicates: Sequence[int],
    *,
    done: bool,
    apart: bool,
) -> Committed:
    """The answer of the commit, and the same again if it was `done` before. Acknowledgements come
    last, so that commands are locked as briefly as possible."""
    changes = [a for u in batch.units for a in u.alarms]
    told = bool(changes) if done else await alarms.keep(connection, changes)
    acks = [ack for unit in batch.units for ack in unit.acks]
    if not acks:
        return Committed(no=no, duplicates=duplicates, changed=Progress(told=told))
    changed, unknown = await commands.acknowledge(connection, acks, done=done, apart=apart)
    if not done:
        await _store_rejections(connection, [ack.otherwise for ack in unknown if ack.keeps])
        await refusals.count(connection, refusals.counts_of_acks(unknown))
    changed = msgspec.structs.replace(changed, told=told or changed.told)
    return Committed(no=no, duplicates=duplicates, changed=changed, unknown=unknown)


def _state_rows(changes: Iterable[StateChange]) -> list[tuple[Any, ...]]:
    newest = {change.device_num: change.state for change in changes}
    return [
        (
            num,
            s.version,
            s.status,
            s.temperature,
            s.humidity,
            s.latitude,
            s.longitude,
            s.firmware,
            s.last_seen_us,
            s.state_us,
            s.session,
        )
        for num, s in sorted(newest.items())
    ]


def _digests(units: Iterable[WriteUnit]) -> list[tuple[str, bytes]]:
    """The digests of each session."""
    digests: dict[str, list[bytes]] = defaultdict(list)
    for unit in units:
        if unit.taken is not None:
            digests[unit.taken.session].append(unit.taken.digest)
    return [(session, b"".join(each)) for session, each in sorted(digests.items())]


async def _store_rejections(connection: Any, rejections: Sequence[Rejection]) -> None:
    if rejections:
        rows = [
            (
                r.user_id,
                r.device_id,
                r.received_us,
                r.topic,
                r.payload,
                r.encoding,
                r.reason,
                r.detail,
                r.coded,
            )
            for r in rejections
        ]
        await connection.execute(_REJECTIONS, *columns(rows, 9))

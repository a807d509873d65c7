"""One batch of the writer as one transaction: a handful of statements however many rows.

Rows travel as arrays (`unnest`), one per column. Keys are sorted, so that two writers never wait
for each other in a circle.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from actors.adapters.postgres import alarms, commands, refusals
from actors.adapters.postgres.rollup_notes import NOTING, noted
from actors.adapters.postgres.rows import columns
from actors.ports import Batch, Committed
from actors.ports.time import Progress
from protocol.charts import minutes_of
from protocol.errors import Fenced
from protocol.records import Reading, Rejection, StateChange, Unit

KEPT_COMMITS = 1_000  # a retry comes within seconds; this is minutes of the busiest house
KEPT_BATCHES = 64  # of a session's identities after they are confirmed (see `actors.ledger`)

# The minutes that it writes to are noted in the same breath.
_CLAIM = f"""
WITH claimed AS (
    INSERT INTO commits (id, duplicates) SELECT $1::text::uuid, '{{}}' FROM leads
    WHERE epoch = $2 OR $2 = 0 ON CONFLICT (id) DO NOTHING RETURNING no
), {NOTING}
SELECT no FROM claimed
"""

_READINGS = """
WITH input AS (
    SELECT * FROM unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::bigint[],
        $5::float8[], $6::text[], $7::boolean[], $8::boolean[])
        WITH ORDINALITY AS i (feed_num, device_num, ts, digest, number, text, boolean, flagged, n)
), stored AS (
    INSERT INTO feed_values
    SELECT feed_num, device_num, ts, digest, number, text, boolean, flagged FROM input
    ON CONFLICT DO NOTHING
    RETURNING feed_num, device_num, ts, digest
)
SELECT coalesce(array_agg(n::integer - 1), '{}') FROM input
LEFT JOIN stored USING (feed_num, device_num, ts, digest) WHERE stored.feed_num IS NULL
"""

_MESSAGE_IDS = """
INSERT INTO message_ids AS m (feed_num, device_num, id, seen_at)
SELECT *, now() FROM unnest($1::integer[], $2::integer[], $3::text[])
ON CONFLICT (feed_num, device_num, id) DO UPDATE SET seen_at = excluded.seen_at
    WHERE m.seen_at < excluded.seen_at - interval '7 days'
RETURNING feed_num, device_num, id
"""

_LAST = """
INSERT INTO feed_last AS l (feed_num, ts, number, text, boolean)
SELECT i.* FROM unnest($1::integer[], $2::timestamptz[], $3::float8[], $4::text[], $5::boolean[])
    AS i (feed_num, ts, number, text, boolean) JOIN feeds f ON f.num = i.feed_num
ON CONFLICT (feed_num) DO UPDATE SET ts = excluded.ts, number = excluded.number,
    text = excluded.text, boolean = excluded.boolean WHERE excluded.ts >= l.ts
"""

_STATES = """
UPDATE devices d SET version = i.version, status = i.status, temperature = i.temperature,
    humidity = i.humidity, latitude = i.latitude, longitude = i.longitude, firmware = i.firmware,
    last_seen_at = i.last_seen_at, state_at = i.state_at, session = i.session
FROM unnest($1::integer[], $2::bigint[], $3::text[], $4::float8[], $5::float8[], $6::float8[],
    $7::float8[], $8::text[], $9::timestamptz[], $10::timestamptz[], $11::bigint[])
    AS i (num, version, status, temperature, humidity, latitude, longitude, firmware,
        last_seen_at, state_at, session)
WHERE d.num = i.num AND d.version < i.version
"""

_REJECTIONS = """
INSERT INTO rejected_messages
    (user_id, device_id, received_at, topic, payload, encoding, reason, detail)
SELECT user_id::uuid, nullif(device_id, '')::uuid, received_at, topic, payload, encoding, reason,
    detail
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
    $7::text[], $8::text[])
    AS i (user_id, device_id, received_at, topic, payload, encoding, reason, detail)
"""

_CONFIRM = """
INSERT INTO sessions_confirmed AS s SELECT * FROM unnest($1::text[], $2::bigint[])
ON CONFLICT (session) DO UPDATE SET confirmed_no = excluded.confirmed_no
    WHERE s.confirmed_no < excluded.confirmed_no
"""

_FORGET = """
DELETE FROM taken WHERE session = $1 AND commit_no <= (SELECT commit_no FROM taken
    WHERE session = $1 AND commit_no <= $2 ORDER BY commit_no DESC OFFSET $3 LIMIT 1)
"""


async def commit(connection: Any, batch: Batch) -> Committed:
    """Commit a batch whole.

    The batch's id is claimed first. A first try that is still committing makes the claim wait; when
    it was done, its answer is given again and nothing else happens.
    """
    async with connection.transaction():
        touched = minutes_of(reading for unit in batch.units for reading in unit.readings)
        no = await connection.fetchval(_CLAIM, batch.id, batch.epoch, *noted(touched))
        if no is None:
            done = await connection.fetchrow(
                "SELECT no, duplicates FROM commits WHERE id = $1::text::uuid", batch.id
            )
            if done is None:
                raise Fenced("another process leads")
            duplicates = done["duplicates"] or [0] * len(batch.units)
            return await _answer(connection, done["no"], batch, duplicates, done=True)
        duplicates = await _store_readings(connection, batch.units)
        if any(duplicates):
            await connection.execute(
                "UPDATE commits SET duplicates = $2 WHERE no = $1", no, duplicates
            )
        await _store_states(connection, [u.state for u in batch.units if u.state is not None])
        await _store_rejections(connection, [r for u in batch.units for r in u.rejections])
        await refusals.count(connection, refusals.counts_of(batch.units))
        await _remember(connection, no, batch)
        answer = await _answer(connection, no, batch, duplicates, done=False)
        if no % KEPT_COMMITS == 0:
            await connection.execute("DELETE FROM commits WHERE no < $1", no - KEPT_COMMITS)
    return answer


async def _answer(
    connection: Any, no: int, batch: Batch, duplicates: Sequence[int], *, done: bool
) -> Committed:
    """What the commit says; the same again when it was `done` before. Acknowledgements come last:
    commands are locked as shortly as can be."""
    changes = [a for u in batch.units for a in u.alarms]
    told = bool(changes) if done else await alarms.keep(connection, changes)
    acks = [ack for unit in batch.units for ack in unit.acks]
    if not acks:
        return Committed(no=no, duplicates=duplicates, changed=Progress(told=told))
    changed, unknown = await commands.acknowledge(connection, acks, done=done)
    if not done:
        await _store_rejections(connection, [ack.otherwise for ack in unknown if ack.keeps])
        await refusals.count(connection, refusals.counts_of_acks(unknown))
    changed = msgspec.structs.replace(changed, told=told or changed.told)
    return Committed(no=no, duplicates=duplicates, changed=changed, unknown=unknown)


async def insert_readings(connection: Any, readings: Sequence[Reading]) -> int:
    """Readings that no message brought; answers how many were there already."""
    unit = Unit(device=("", ""), readings=tuple(readings))
    (duplicates,) = await _store_readings(connection, [unit])
    return duplicates


async def _store_readings(connection: Any, units: Sequence[Unit]) -> list[int]:
    """Readings, message ids and last values. Answers with the duplicates of each unit."""
    duplicates = [0] * len(units)
    rows: list[tuple[int, Reading]] = []
    seen: set[tuple[int, int, int, int]] = set()
    with_id: dict[tuple[int, int, str], int] = {}
    for index, unit in enumerate(units):
        for reading in unit.readings:
            key = (reading.feed_num, reading.ts_us, reading.device_num, reading.digest)
            identity = (reading.feed_num, reading.device_num, reading.message_id or "")
            if key in seen or identity in with_id:
                duplicates[index] += 1
                continue
            seen.add(key)
            if reading.message_id is not None:
                with_id[identity] = index
            rows.append((index, reading))
    if with_id:
        keys = sorted(with_id)
        fresh = await connection.fetch(_MESSAGE_IDS, *columns(keys, 3))
        stale = with_id.keys() - {tuple(row) for row in fresh}
        for index, reading in rows:
            if (reading.feed_num, reading.device_num, reading.message_id) in stale:
                duplicates[index] += 1
        rows = [
            row
            for row in rows
            if (row[1].feed_num, row[1].device_num, row[1].message_id) not in stale
        ]
    if rows:
        stored_before = await connection.fetchval(
            _READINGS, *columns([_value_row(reading) for _, reading in rows], 8)
        )
        for n in stored_before:
            duplicates[rows[n][0]] += 1
        gone = set(stored_before)
        await _store_last(connection, [r for n, (_, r) in enumerate(rows) if n not in gone])
    return duplicates


def _value_row(reading: Reading) -> tuple[Any, ...]:
    return (
        reading.feed_num,
        reading.device_num,
        reading.ts_us,
        reading.digest,
        *_typed(reading.value),
        reading.flagged,
    )


def _typed(value: float | str | bool) -> tuple[float | None, str | None, bool | None]:
    if isinstance(value, bool):
        return None, None, value
    if isinstance(value, str):
        return None, value, None
    return value, None, None


async def _store_last(connection: Any, readings: Iterable[Reading]) -> None:
    last: dict[int, Reading] = {}
    for reading in readings:
        if reading.sets_last:
            known = last.get(reading.feed_num)
            if known is None or reading.ts_us >= known.ts_us:
                last[reading.feed_num] = reading
    rows = [(num, r.ts_us, *_typed(r.value)) for num, r in sorted(last.items())]
    if rows:
        await connection.execute(_LAST, *columns(rows, 5))


async def _store_states(connection: Any, changes: Iterable[StateChange]) -> None:
    newest = {change.device_num: change.state for change in changes}
    rows = [
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
    if rows:
        await connection.execute(_STATES, *columns(rows, 11))


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
            )
            for r in rejections
        ]
        await connection.execute(_REJECTIONS, *columns(rows, 8))


async def _remember(connection: Any, no: int, batch: Batch) -> None:
    digests: dict[str, list[bytes]] = defaultdict(list)
    for unit in batch.units:
        if unit.taken is not None:
            digests[unit.taken.session].append(unit.taken.digest)
    if digests:
        rows = [(session, no, b"".join(each)) for session, each in sorted(digests.items())]
        await connection.execute(
            "INSERT INTO taken SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[])",
            *columns(rows, 3),
        )
    if batch.confirmed:
        confirmed = sorted(batch.confirmed.items())
        await connection.execute(_CONFIRM, *columns(confirmed, 2))
        for session, up_to in confirmed:
            await connection.execute(_FORGET, session, up_to, KEPT_BATCHES)

"""Readings, their message ids, and the last values of feeds: parts of one statement.

    f"WITH guard AS MATERIALIZED (SELECT), {storing(1)} SELECT unit, many FROM missing"

A reading is stored once: by its key (feed, time, device, digest), and, if it carries a message id
and no time of its own, by that id with its digest for seven days. `missing` counts the readings of
each unit that were not stored because they were stored already. Keys are sorted, so that two
statements never deadlock.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from actors.adapters.postgres.wire.rows import columns, unnested
from protocol.records import Destination, Reading

COLUMNS = {
    "unit": "integer",
    "feed_num": "integer",
    "device_num": "integer",
    "ts": "timestamptz",
    "digest": "bigint",
    "number": "float8",
    "text": "text",
    "boolean": "boolean",
    "flagged": "boolean",
    "message_id": "text",
    "sets_last": "boolean",
}


def storing(first: int) -> str:
    """Common table expressions that follow one named `guard`, which has a row if readings are to be
    stored. Their parameters are the columns of `rows_of`, from number `first` on."""
    return f"""
given AS MATERIALIZED (
    SELECT i.* FROM guard, {unnested(first, COLUMNS)} WITH ORDINALITY AS i ({", ".join(COLUMNS)}, n)
), unseen AS (
    INSERT INTO message_ids AS m (feed_num, device_num, id, digest, seen_at)
    SELECT feed_num, device_num, message_id, digest, now() FROM given
    WHERE message_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM message_ids_before b
        WHERE b.feed_num = given.feed_num AND b.device_num = given.device_num
            AND b.id = given.message_id AND b.seen_at >= now() - interval '7 days')
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (feed_num, device_num, id, digest) DO UPDATE SET seen_at = excluded.seen_at
        WHERE m.seen_at < excluded.seen_at - interval '7 days'
    RETURNING feed_num, device_num, id, digest
), stored AS (
    INSERT INTO feed_values
    SELECT feed_num, device_num, ts, digest, number, text, boolean, flagged FROM given
    WHERE message_id IS NULL OR (feed_num, device_num, message_id, digest) IN (TABLE unseen)
    ON CONFLICT DO NOTHING
    RETURNING feed_num, device_num, ts, digest
), new AS MATERIALIZED (
    SELECT given.* FROM given JOIN stored USING (feed_num, device_num, ts, digest)
), last AS (
    INSERT INTO feed_last AS l (feed_num, ts, number, text, boolean)
    SELECT DISTINCT ON (feed_num) feed_num, ts, number, text, boolean FROM new
    WHERE sets_last AND EXISTS (SELECT FROM feeds f WHERE f.num = new.feed_num)
    ORDER BY feed_num, ts DESC, n DESC
    ON CONFLICT (feed_num) DO UPDATE SET ts = excluded.ts, number = excluded.number,
        text = excluded.text, boolean = excluded.boolean WHERE excluded.ts >= l.ts
), missing AS MATERIALIZED (
    SELECT unit, count(*)::integer AS many FROM given WHERE n NOT IN (SELECT n FROM new)
    GROUP BY unit
)"""


def rows_of(units: Sequence[Iterable[Reading]]) -> tuple[list[list[Any]], list[int]]:
    """The columns of the readings of some units, each reading once; and how many of each unit are
    left out, because an earlier one is the same or has the same message id and digest."""
    rows: list[tuple[Any, ...]] = []
    repeated = [0] * len(units)
    seen: set[tuple[int, int, int, int]] = set()
    named: set[tuple[int, int, str, int]] = set()
    for number, readings in enumerate(units):
        for reading in readings:
            place = reading.feed_num, reading.ts_us, reading.device_num, reading.digest
            message_id = reading.message_id or ""
            name = reading.feed_num, reading.device_num, message_id, reading.digest
            if place in seen or name in named:
                repeated[number] += 1
                continue
            seen.add(place)
            if reading.message_id is not None:
                named.add(name)
            rows.append(_row(number, reading))
    return columns(rows, len(COLUMNS)), repeated


def _row(unit: int, reading: Reading) -> tuple[Any, ...]:
    return (
        unit,
        reading.feed_num,
        reading.device_num,
        reading.ts_us,
        reading.digest,
        *_typed(reading.value),
        reading.flagged,
        reading.message_id,
        reading.into is Destination.LAST_VALUE,
    )


def _typed(value: float | str | bool) -> tuple[float | None, str | None, bool | None]:
    if isinstance(value, bool):
        return None, None, value
    if isinstance(value, str):
        return None, value, None
    return value, None, None


_INSERT = f"""
WITH guard AS MATERIALIZED (SELECT), {storing(1)}
SELECT coalesce(sum(many), 0) FROM missing
"""


async def insert_readings(connection: Any, readings: Sequence[Reading]) -> int:
    """Store readings that did not come in a message; return how many were stored already."""
    found, (repeated,) = rows_of([readings])
    missing: int = await connection.fetchval(_INSERT, *found)
    return missing + repeated

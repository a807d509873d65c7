"""What the broker's copies of retained messages add to a batch: only what is not known yet.

Each subscription delivers such a copy again, as each start of Roost does. A reading in it without a
time of its own is stored only if its feed never had a reading, one with a time only if it is newer
than what was deleted, and a refusal is kept once. Batches with copies are rare, so they are looked
at apart from the statement that stores everything.
"""

from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres.wire.plans import fetch_by_index
from actors.adapters.postgres.wire.rows import columns
from protocol.records import Destination, Reading, Rejection, WriteUnit
from protocol.times import FIRST_US

# The first reading is found by the index of each partition, however long the feed's history is.
_HISTORIES = """
SELECT f, d.until, d.until IS NOT NULL
    OR (SELECT v.ts FROM feed_values v WHERE v.feed_num = f LIMIT 1) IS NOT NULL AS has_begun
FROM unnest($1::integer[]) AS f LEFT JOIN histories_deleted d ON d.feed_num = f
"""
_SAID = ("user_id", "topic", "payload", "encoding", "reason")
_LISTED = f"""
SELECT DISTINCT {", ".join(f"c.{each}" for each in _SAID)}
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS c ({", ".join(_SAID)})
JOIN rejected_messages m ON m.user_id = c.user_id::uuid
    AND (m.topic, m.payload, m.encoding, m.reason) = (c.topic, c.payload, c.encoding, c.reason)
"""
Readings = list[Sequence[Reading]]


def has_copies(units: Sequence[WriteUnit]) -> bool:
    return any(unit.is_copy for unit in units)


async def readings_of(connection: Any, units: Sequence[WriteUnit]) -> tuple[Readings, list[int]]:
    """The readings of each unit, and how many of each are left out."""
    asked = {r.feed_num for unit in units if unit.is_copy for r in unit.readings}
    begun = {r.feed_num for unit in units for r in unit.readings if not _is_for_empty(r)}
    deleted: dict[int, int] = {}  # until when
    if asked:
        for row in await fetch_by_index(connection, _HISTORIES, sorted(asked)):
            if row["has_begun"]:
                begun.add(row["f"])
            if row["until"] is not None:
                deleted[row["f"]] = row["until"]

    def is_new(reading: Reading) -> bool:
        if _is_for_empty(reading):
            return reading.feed_num not in begun
        return reading.ts_us > deleted.get(reading.feed_num, FIRST_US - 1)

    left = [
        [r for r in unit.readings if is_new(r)] if unit.is_copy else unit.readings for unit in units
    ]
    out = [len(unit.readings) - len(mine) for unit, mine in zip(units, left, strict=True)]
    return list(left), out


def _is_for_empty(reading: Reading) -> bool:
    return reading.into is Destination.EMPTY_HISTORY


async def rejections_of(
    connection: Any, units: Sequence[WriteUnit]
) -> tuple[list[Rejection], list[Rejection]]:
    """The refusals of all units that are no copies; those of copies that are not listed yet."""
    kept = [each for unit in units if not unit.is_copy for each in unit.rejections]
    copies = [each for unit in units if unit.is_copy for each in unit.rejections]
    if not copies:
        return kept, []
    new = {_said(each): each for each in copies}
    for each in kept:
        new.pop(_said(each), None)
    for row in await connection.fetch(_LISTED, *columns(list(new), len(_SAID))):
        del new[tuple(row.values())]
    return kept, list(new.values())


def _said(each: Rejection) -> tuple[str, ...]:
    return each.user_id, each.topic, each.payload, each.encoding, str(each.reason)

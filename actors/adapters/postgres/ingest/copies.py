"""What the broker's copies of retained messages add to a batch: only what is not known yet.

Each subscription delivers such a copy again, as each start of Roost does. A reading in it without a
time of its own is stored only if its feed has no reading yet, and a refusal is kept once. Batches
with copies are rare, so they are looked at apart from the statement that stores everything.
"""

from collections.abc import Sequence
from typing import Any

from protocol.records import Reading, Rejection, WriteUnit

# The first reading is found by the index of each partition, however long the feed's history is.
_HAVE_READINGS = """
SELECT f FROM unnest($1::integer[]) AS f
WHERE (SELECT v.ts FROM feed_values v WHERE v.feed_num = f LIMIT 1) IS NOT NULL
"""
_LISTED = """
SELECT DISTINCT topic, payload, encoding, reason FROM rejected_messages
WHERE user_id = ANY($1::text[]::uuid[]) AND topic = ANY($2::text[])
"""
Readings = list[Sequence[Reading]]


def has_copies(units: Sequence[WriteUnit]) -> bool:
    return any(unit.is_copy for unit in units)


async def readings_of(connection: Any, units: Sequence[WriteUnit]) -> tuple[Readings, list[int]]:
    """The readings of each unit, and how many of each are left out."""
    asked = {r.feed_num for unit in units for r in unit.readings if r.sets_last is None}
    known = {r.feed_num for unit in units for r in unit.readings if r.sets_last is not None}
    async with connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        found = await connection.fetch(_HAVE_READINGS, sorted(asked - known))
    known |= {row["f"] for row in found}
    left = [
        [r for r in unit.readings if r.sets_last is not None or r.feed_num not in known]
        for unit in units
    ]
    out = [len(unit.readings) - len(mine) for unit, mine in zip(units, left, strict=True)]
    return list(left), out


async def rejections_of(connection: Any, units: Sequence[WriteUnit]) -> list[Rejection]:
    """The refusals of all units, without those of copies that are listed already."""
    kept = [each for unit in units if not unit.is_copy for each in unit.rejections]
    copies = [each for unit in units if unit.is_copy for each in unit.rejections]
    if not copies:
        return kept
    users = sorted({each.user_id for each in copies})
    topics = sorted({each.topic for each in copies})
    found = await connection.fetch(_LISTED, users, topics)
    listed = {tuple(row.values()) for row in found} | {_said(each) for each in kept}
    for each in copies:
        if _said(each) not in listed:
            listed.add(_said(each))
            kept.append(each)
    return kept


def _said(each: Rejection) -> tuple[str, str, str, str]:
    return each.topic, each.payload, each.encoding, str(each.reason)

"""Refusals: counted, deleted, and bounded for each user."""

from collections.abc import Iterable, Mapping
from typing import Any

from actors.adapters.postgres import history_deletion
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.adapters.postgres.wire.rows import columns
from protocol.device.refusals import REFUSAL_ROW_BYTES, NotKept
from protocol.records import AckChange, WriteUnit

DELETED_AT_ONCE = 10_000

_COUNT = """
INSERT INTO refusals_not_kept AS r (user_id, device_code, many, last_at)
SELECT user_id::uuid, device_code, many, last_at
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[])
    AS i (user_id, device_code, many, last_at)
ON CONFLICT (user_id, device_code) DO UPDATE SET many = r.many + excluded.many,
    last_at = greatest(r.last_at, excluded.last_at)
"""

_DELETE = """
DELETE FROM rejected_messages WHERE num = ANY(ARRAY(
    SELECT num FROM rejected_messages WHERE user_id = $1::text::uuid
    AND ($2::text IS NULL OR device_id = $2::text::uuid) AND ($3::text IS NULL OR reason = $3)
    AND ($4::timestamptz IS NULL OR received_at < $4) AND ($5::bigint IS NULL OR num <= $5)
    LIMIT $6))
"""

# The newest row beyond the limit. It is found before any other is read: by the index.
_BEYOND = f"""
SELECT num FROM (
    SELECT num, row_number() OVER newest AS n,
        sum({REFUSAL_ROW_BYTES} + octet_length(topic) + octet_length(payload)
            + octet_length(detail) + coalesce(octet_length(coded), 0)) OVER newest AS size
    FROM rejected_messages WHERE user_id = $1
    WINDOW newest AS (ORDER BY num DESC ROWS UNBOUNDED PRECEDING)
) AS kept WHERE n > $2 OR size > $3 ORDER BY num DESC LIMIT 1
"""


def counts_of(units: Iterable[WriteUnit]) -> dict[tuple[str, str], NotKept]:
    """The counts of refusals that are not kept, by device."""
    counts: dict[tuple[str, str], NotKept] = {}
    for unit in units:
        for rejection in unit.not_kept:
            _add(counts, unit.device, rejection.received_us)
    return counts


def counts_of_acks(acks: Iterable[AckChange]) -> dict[tuple[str, str], NotKept]:
    counts: dict[tuple[str, str], NotKept] = {}
    for ack in acks:
        if not ack.keeps:
            _add(counts, ack.device, ack.otherwise.received_us)
    return counts


def _add(counts: dict[tuple[str, str], NotKept], key: tuple[str, str], at_us: int) -> None:
    known = counts.get(key, NotKept())
    counts[key] = NotKept(known.many + 1, max(at_us, known.last_us or at_us))


async def count(connection: Any, counts: Mapping[tuple[str, str], NotKept]) -> None:
    """In the commit that carries them. Sorted, so that no two commits wait for each other."""
    rows = [(*key, counted.many, counted.last_us) for key, counted in sorted(counts.items())]
    if rows:
        await connection.execute(_COUNT, *columns(rows, 4))


async def _delete(
    connection: Any,
    user_id: str,
    device_id: str | None = None,
    reason: str | None = None,
    before_us: int | None = None,
    up_to: int | None = None,
) -> int:
    """Delete in portions, so that nobody waits for it."""
    deleted = 0
    while True:
        status = await connection.execute(
            _DELETE, user_id, device_id, reason, before_us, up_to, DELETED_AT_ONCE
        )
        many = int(status.rpartition(" ")[2])
        deleted += many
        if many < DELETED_AT_ONCE:
            return deleted


async def _trim(connection: Any, many: int, size: int) -> int:
    deleted, user_id = 0, None
    while True:
        user_id = await connection.fetchval(
            "SELECT user_id FROM rejected_messages WHERE $1::uuid IS NULL OR user_id > $1"
            " ORDER BY user_id LIMIT 1",
            user_id,
        )
        if user_id is None:
            return deleted
        beyond = await connection.fetchval(_BEYOND, user_id, many, size)
        if beyond is not None:
            deleted += await _delete(connection, str(user_id), up_to=beyond)


async def _not_kept(connection: Any, user_id: str, device_code: str) -> NotKept:
    row = await connection.fetchrow(
        "SELECT many, last_at FROM refusals_not_kept"
        " WHERE user_id = $1::text::uuid AND device_code = $2",
        user_id,
        device_code,
    )
    return NotKept() if row is None else NotKept(row["many"], row["last_at"])


async def _delete_one(connection: Any, user_id: str, rejection_id: str) -> bool:
    status = await connection.execute(
        "DELETE FROM rejected_messages WHERE id = $2::text::uuid AND user_id = $1::text::uuid",
        user_id,
        rejection_id,
    )
    return bool(status == "DELETE 1")


class RefusalCalls(PooledCalls):
    """See `actors.ports.refusals.RefusalStore`."""

    async def delete_rejection(self, user_id: str, rejection_id: str) -> bool:
        return await self._work(_delete_one, user_id, rejection_id)

    async def delete_rejections(
        self,
        user_id: str,
        device_id: str | None = None,
        reason: str | None = None,
        before_us: int | None = None,
    ) -> int:
        within_s = history_deletion.PURGE_WITHIN_S
        args = user_id, device_id, reason, before_us
        return await self._work(_delete, *args, within_s=within_s)

    async def trim_rejections(self, many: int, size: int) -> int:
        return await self._work(_trim, many, size, within_s=history_deletion.PURGE_WITHIN_S)

    async def not_kept(self, user_id: str, device_code: str) -> NotKept:
        return await self._work(_not_kept, user_id, device_code)

"""Alarms as devices' actors judge them, and the leases and pending alarms to restore at a start."""

from collections.abc import Sequence
from typing import Any

from actors.adapters.postgres.row_letters import note_device
from actors.adapters.postgres.tables import ALARMS, DEVICES
from actors.adapters.postgres.webhook_outbox import announce
from actors.adapters.postgres.wire import rows
from actors.adapters.postgres.wire.isolation import (
    can_read_another,
    computed,
    halves_apart,
    newest_of,
    whole_or_apart,
)
from actors.adapters.postgres.wire.pool import PooledCalls
from actors.adapters.postgres.wire.rows import columns
from actors.ports.time import WaitingAlarms
from protocol.dead_letters import reason_of
from protocol.device.alarms import DROPPED, Alarm
from protocol.records import Device
from protocol.times import writable

ALARM, FROM = ALARMS.selected, ALARMS.source

# The actor decides everything about an alarm, except that a person acknowledged it. If another open
# alarm has its place, an actor elsewhere raised it: the first one stays.
_KEEP = """
INSERT INTO alarms AS a (id, user_id, device_num, feed_num, kind, severity, state, since_at, count,
    raised_at, cleared_at, value, detail, coded)
SELECT i.id::uuid, i.user_id::uuid, i.device_num, nullif(i.feed_num, 0), i.kind, i.severity,
    i.state, i.since_at, i.count, i.raised_at, i.cleared_at, i.value, i.detail,
    i.coded
FROM unnest($1::text[], $2::text[], $3::integer[], $4::integer[], $5::text[], $6::text[],
    $7::text[], $8::timestamptz[], $9::integer[], $10::timestamptz[], $11::timestamptz[],
    $12::float8[], $13::text[], $14::text[])
    AS i (id, user_id, device_num, feed_num, kind, severity, state, since_at, count, raised_at,
        cleared_at, value, detail, coded)
JOIN devices d ON d.num = i.device_num
LEFT JOIN feeds f ON f.num = i.feed_num
WHERE (i.feed_num = 0 OR f.num IS NOT NULL)
    AND NOT EXISTS (SELECT FROM alarms o WHERE o.device_num = i.device_num
        AND coalesce(o.feed_num, 0) = i.feed_num AND o.kind = i.kind AND o.state <> 'cleared'
        AND o.id <> i.id::uuid AND i.state <> 'cleared')
ON CONFLICT (id) DO UPDATE SET count = excluded.count, raised_at = excluded.raised_at,
    cleared_at = excluded.cleared_at, value = excluded.value, detail = excluded.detail,
    coded = excluded.coded,
    state = CASE WHEN a.state = 'acknowledged' AND excluded.state = 'active' THEN a.state
        ELSE excluded.state END
RETURNING a.id::text, a.state
"""

# In the order of their numbers, so that two calls cannot block each other.
_ACKNOWLEDGE = """
UPDATE alarms SET acknowledged_at = $3,
    state = CASE state WHEN 'active' THEN 'acknowledged' ELSE state END
WHERE num IN (SELECT num FROM alarms WHERE user_id = $1::text::uuid
    AND id = ANY($2::text[]::uuid[]) AND acknowledged_at IS NULL
    AND state IN ('active', 'cleared') ORDER BY num FOR UPDATE)
RETURNING id::text
"""

# By an index of pending alarms only; reading their columns may fail, reading their numbers does
# not.
_PENDING_PAGE = "SELECT num FROM alarms WHERE state = 'pending' AND num > $1 ORDER BY num LIMIT $2"
_PENDING = f"""
SELECT {ALARM}, d.code, f.alarm_after_s FROM {FROM}
WHERE a.num = ANY($1) AND a.state = 'pending' AND f.alarm_after_s > 0 ORDER BY a.num
"""
_WHOSE = """
SELECT d.user_id::text, d.num FROM alarms a JOIN devices d ON d.num = a.device_num
WHERE a.num = $1
"""
_Waiting = tuple[tuple[str, str], Alarm, float]


async def keep(connection: Any, changes: Sequence[Alarm]) -> bool:
    """Store alarms as they are after a batch. Of each alarm the last state counts, and cleared ones
    are written before new ones.

    Returns whether webhooks get any event. An alarm that was raised and cleared within the batch is
    two events.
    """
    kept: set[tuple[str, str]] = set()
    last = {change.id: change for change in changes}
    dropped = [each.id for each in last.values() if each.state == DROPPED]
    if dropped:
        await connection.execute(
            "DELETE FROM alarms WHERE id = ANY($1::text[]::uuid[]) AND state = 'pending'", dropped
        )
    for open_ones in (False, True):
        some = [
            (
                a.id,
                a.user_id,
                a.device_num,
                a.feed_num or 0,
                a.kind,
                a.severity,
                a.state,
                a.since_us,
                a.count,
                a.raised_us,
                a.cleared_us,
                a.value,
                a.detail,
                a.coded,
            )
            for a in last.values()
            if a.state != DROPPED and (a.cleared_us is None) == open_ones
        ]
        if some:
            kept |= {tuple(r) for r in await connection.fetch(_KEEP, *columns(some, 14))}
    told = [a for a in changes if (a.id, last[a.id].state) in kept]
    return await announce(connection, 0, alarms=told)


async def open_alarms(connection: Any, device_nums: Sequence[int]) -> dict[int, list[Alarm]]:
    """Pending and open alarms by the number of their device."""
    found = await connection.fetch(
        f"SELECT {ALARM} FROM {FROM} WHERE a.device_num = ANY($1) AND a.state <> 'cleared'",
        list(device_nums),
    )
    by_device: dict[int, list[Alarm]] = {}
    for row in found:
        by_device.setdefault(row["device_num"], []).append(ALARMS.record(row))
    return by_device


async def acknowledge_alarms(
    connection: Any, user_id: str, alarm_ids: Sequence[str], now_us: int
) -> list[Alarm]:
    async with connection.transaction():
        done = await connection.fetch(_ACKNOWLEDGE, user_id, list(alarm_ids), now_us)
        found = await connection.fetch(
            f"SELECT {ALARM} FROM {FROM} WHERE a.user_id = $1::text::uuid"
            " AND a.id = ANY($2::text[]::uuid[]) AND a.state <> 'pending' ORDER BY a.num",
            user_id,
            list(alarm_ids),
        )
        alarms = [ALARMS.record(row) for row in found]
        news = {row["id"] for row in done}
        await announce(connection, now_us, alarms=[a for a in alarms if a.id in news])
    return alarms


async def pending_alarms(connection: Any, limit: int, after: int) -> WaitingAlarms:
    return await whole_or_apart(connection, _pending, limit, after)


async def _pending(connection: Any, limit: int, after: int, *, apart: bool) -> WaitingAlarms:
    page = await connection.fetch(_PENDING_PAGE, after, limit)
    nums = [row["num"] for row in page]

    async def read(some: Sequence[int]) -> list[_Waiting]:
        found = await connection.fetch(_PENDING, some)
        return [computed(_waiting, row) for row in found]

    async def aside(num: int, error: Exception) -> None:
        row = await connection.fetchrow(_WHOSE, num)
        if row is not None:
            await note_device(connection, row["num"], row["user_id"], reason_of(error))

    async def read_one(num: int) -> None:
        await connection.fetchrow(f"SELECT {ALARM} FROM {FROM} WHERE a.num = $1", num)

    async def probe() -> bool:
        return await can_read_another(connection, newest_of("alarms"), nums, read_one)

    if apart:
        found = await halves_apart(connection, nums, read, aside, probe)
    else:
        found = await read(nums)
    last = nums[-1] if len(nums) == limit else None
    return WaitingAlarms(alarms=tuple(found), after=last)


def _waiting(row: Any) -> _Waiting:
    found = ALARMS.record(row)
    writable(found.since_us)  # it is used in calculations
    return (row["user_id"], row["code"]), found, row["alarm_after_s"]


async def online_devices(connection: Any) -> list[Device]:
    """A device whose row cannot be read is put aside; all others get their leases."""
    return await whole_or_apart(connection, _online)


async def _online(connection: Any, *, apart: bool) -> list[Device]:
    if not apart:
        found = await connection.fetch(
            f"SELECT {DEVICES.selected} FROM devices d WHERE status <> 'offline'"
        )
        return [computed(rows.device, row) for row in found]

    async def read(nums: Sequence[int]) -> list[Device]:
        found = await connection.fetch(
            f"SELECT {DEVICES.selected} FROM devices d WHERE num = ANY($1)", list(nums)
        )
        return [computed(rows.device, row) for row in found]

    async def aside(num: int, error: Exception) -> None:
        await note_device(connection, num, owners[num], reason_of(error))

    keys = await connection.fetch(
        "SELECT num, user_id::text FROM devices WHERE status <> 'offline' ORDER BY num"
    )
    owners = {key["num"]: key["user_id"] for key in keys}
    nums = list(owners)

    async def probe() -> bool:
        return await can_read_another(
            connection, newest_of("devices"), nums, lambda num: read([num])
        )

    return await halves_apart(connection, nums, read, aside, probe)


class AlarmCalls(PooledCalls):
    """See `actors.ports.time.AlarmStore`."""

    async def acknowledge_alarms(
        self, user_id: str, alarm_ids: Sequence[str], now_us: int
    ) -> list[Alarm]:
        return await self._work(acknowledge_alarms, user_id, alarm_ids, now_us)

    async def pending_alarms(self, limit: int, after: int) -> WaitingAlarms:
        return await self._work(pending_alarms, limit, after)

    async def online_devices(self) -> list[Device]:
        return await self._work(online_devices)

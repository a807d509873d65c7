"""Deliveries to webhooks: an outbox that changes fill in their own transactions."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import asyncpg

from actors.adapters.postgres import tables
from actors.adapters.postgres.row_letters import note_row
from actors.adapters.postgres.wire.claims import Work, each_apart
from actors.adapters.postgres.wire.isolation import (
    always,
    computed,
    halves_apart,
    whole_or_apart,
)
from actors.adapters.postgres.wire.rows import columns
from actors.adapters.postgres.wire.writing import write
from actors.ports.webhooks import ClaimedDeliveries, Wanted
from protocol.dead_letters import WEBHOOKS, reason_of
from protocol.device.alarms import Alarm
from protocol.device.commands import Command
from protocol.errors import Conflict
from protocol.problems.detail import Detail
from protocol.schedule.schedules import Occurrence
from protocol.webhook import deliveries as webhooks
from protocol.webhook.deliveries import (
    NEXT_MAX_US,
    PENDING,
    WAITING_MAX,
    ClaimedDelivery,
    News,
    Outcome,
    Webhook,
    WebhookDelivery,
)

_DELIVERY = tables.DELIVERIES.selected

# Counted up to the limit only, by an index of pending deliveries.
_WAITING = (
    "(SELECT count(*) FROM (SELECT FROM webhook_deliveries d WHERE d.webhook_num = w.num"
    " AND d.state = 'pending' LIMIT $2) AS waiting)"
)

# A disabled user's webhooks get nothing new, and what waits for them stays.
_MAY_GET = "w.enabled AND w.user_id NOT IN (SELECT id FROM users WHERE disabled_at IS NOT NULL)"

# Locked, so that they cannot be deleted before their deliveries are stored.
_WHO_MAY_WANT = f"""
SELECT w.num, w.user_id::text FROM webhooks w
WHERE {_MAY_GET} AND w.user_id = ANY($1::text[]::uuid[]) ORDER BY w.num FOR KEY SHARE OF w
"""
_WHAT_THEY_WANT = f"""
SELECT w.num, w.user_id::text, w.events, {_WAITING} AS waiting FROM webhooks w
WHERE w.num = ANY($1::bigint[]) ORDER BY w.num
"""

_INSERT = """
INSERT INTO webhook_deliveries (webhook_num, event_id, type, body, created_at, next_try_at)
SELECT i.webhook_num, i.event_id::uuid, i.type, i.body, now(), i.next_try_at
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
    AS i (webhook_num, event_id, type, body, next_try_at)
ON CONFLICT (webhook_num, event_id) DO NOTHING
"""

_IS_PAUSED = "(w.paused_at > $1 AND w.paused_at <= $2)"

_WHERE_DUE = f"""
FROM webhooks w CROSS JOIN LATERAL (
    SELECT * FROM webhook_deliveries d WHERE d.webhook_num = w.num AND d.state = 'pending'
        AND (d.next_try_at <= $1 OR d.next_try_at > $2)
    ORDER BY d.next_try_at, d.num LIMIT $3 FOR UPDATE SKIP LOCKED) AS d
WHERE {_MAY_GET} AND NOT coalesce({_IS_PAUSED}, false) AND NOT w.num = ANY($4)
    AND NOT w.user_id = ANY($6::text[]::uuid[])
ORDER BY d.num LIMIT $5
"""
_ERRAND = f"{_DELIVERY}, w.user_id::text, w.url, w.secret"
_DUE = f"SELECT {_ERRAND} {_WHERE_DUE}"
_DUE_KEYS = f"SELECT d.num, d.id::text, w.user_id::text {_WHERE_DUE}"
_WORK = Work(
    name=WEBHOOKS,
    table="webhook_deliveries",
    due="next_try_at",
    row=f"SELECT {_ERRAND} FROM {tables.DELIVERIES.source} WHERE d.num = $1",
    # The row that cannot be read may be a webhook.
    others="""
SELECT d.num FROM webhooks w CROSS JOIN LATERAL (
    SELECT d.num FROM webhook_deliveries d WHERE d.webhook_num = w.num
    AND NOT d.num = ANY($1::bigint[]) LIMIT 1) AS d
ORDER BY w.num DESC LIMIT $2
""",
)

_NEXT = f"""
SELECT min(greatest(w.paused_at, (SELECT min(d.next_try_at) FROM webhook_deliveries d
    WHERE d.webhook_num = w.num AND d.state = 'pending')))
FROM webhooks w WHERE {_MAY_GET} AND NOT w.num = ANY($1)
    AND NOT w.user_id = ANY($2::text[]::uuid[]) AND EXISTS (SELECT
    FROM webhook_deliveries d WHERE d.webhook_num = w.num AND d.state = 'pending')
"""

_MARK = """
UPDATE webhook_deliveries d SET attempts = i.attempts, next_try_at = i.next_try_at
FROM unnest($1::bigint[], $2::integer[], $3::timestamptz[]) AS i (num, attempts, next_try_at)
WHERE d.num = i.num
"""


async def announce(
    connection: Any,
    now_us: int,
    *,
    alarms: Sequence[Alarm] = (),
    commands: Sequence[Command] = (),
    occurrences: Sequence[Occurrence] = (),
) -> bool:
    """Add deliveries for what changed, for the webhooks that want them; return whether any does."""
    news = computed(
        partial(webhooks.news_of, now_us, alarms=alarms, commands=commands, occurrences=occurrences)
    )
    if not news:
        return False
    users = sorted({each.user_id for each in news})
    rows: list[tuple[int, str, str, str, int]] = []
    for hook in await _who_wants(connection, users):
        wanted = [n for n in news if n.user_id == hook["user_id"] and n.type in hook["events"]]
        room = WAITING_MAX - hook["waiting"]
        rows += [(hook["num"], n.event_id, n.type, n.body, 0) for n in wanted[:room]]
        if len(wanted) > room:
            await connection.execute(
                "UPDATE webhooks SET dropped = dropped + $2 WHERE num = $1",
                hook["num"],
                len(wanted) - room,
            )
    if rows:
        await connection.execute(_INSERT, *columns(rows, 5))
    return bool(rows)


async def _who_wants(connection: Any, users: Sequence[str]) -> list[Any]:
    """Webhooks of these users with the events that they want.

    The change is stored in the same transaction, and does not wait for any webhook: one that cannot
    be read is put aside, and gets nothing.
    """
    owners = {
        row["num"]: row["user_id"] for row in await connection.fetch(_WHO_MAY_WANT, list(users))
    }

    async def read(nums: Sequence[int]) -> list[Any]:
        found: list[Any] = await connection.fetch(_WHAT_THEY_WANT, list(nums), WAITING_MAX)
        return found

    async def aside(num: int, error: Exception) -> None:
        await note_row(connection, "webhooks", num, owners[num], reason_of(error))

    return await halves_apart(connection, list(owners), read, aside, always)


async def add_delivery(connection: Any, to: Webhook, news: News) -> WebhookDelivery:
    async with connection.transaction():
        waiting = await connection.fetchval(
            f"SELECT {_WAITING} FROM webhooks w WHERE w.num = $1", to.num, WAITING_MAX
        )
        if waiting is not None and waiting >= WAITING_MAX:
            raise Conflict(Detail("deliveries_full", most=WAITING_MAX))
        try:
            await connection.execute(
                _INSERT, [to.num], [news.event_id], [news.type], [news.body], [0]
            )
        except asyncpg.ForeignKeyViolationError:
            raise Conflict(Detail("webhook_deleted")) from None
        row = await connection.fetchrow(
            f"SELECT {_DELIVERY} FROM webhook_deliveries d WHERE d.webhook_num = $1"
            " AND d.event_id = $2::text::uuid",
            to.num,
            news.event_id,
        )
    return tables.DELIVERIES.record(row)


async def retry_delivery(
    connection: Any, user_id: str, webhook_id: str, delivery_id: str, now_us: int
) -> WebhookDelivery | None:
    async with connection.transaction():
        row = await connection.fetchrow(
            f"SELECT {_DELIVERY} FROM {tables.DELIVERIES.source}"
            " WHERE w.user_id = $1::text::uuid AND w.id = $2::text::uuid"
            " AND d.id = $3::text::uuid FOR UPDATE OF d",
            user_id,
            webhook_id,
            delivery_id,
        )
        if row is None:
            return None
        pending = webhooks.again(tables.DELIVERIES.record(row), now_us)
        await _update(connection, pending)
    return pending


async def _update(connection: Any, changed: WebhookDelivery) -> None:
    fields = ("state", "created_us", "next_try_us", "attempts", "last_status", "detail", "coded")
    await write(connection, tables.DELIVERIES, changed, *fields, "finished_us")


async def claim_deliveries(connection: Any, wanted: Wanted) -> ClaimedDeliveries:
    return await whole_or_apart(connection, _claim, wanted)


async def _claim(connection: Any, wanted: Wanted, *, apart: bool) -> ClaimedDeliveries:
    now_us, busy, crowded = wanted.now_us, list(wanted.busy), list(wanted.crowded)
    far_us = now_us + NEXT_MAX_US
    statement = _DUE_KEYS if apart else _DUE
    asked = now_us, far_us, wanted.each, busy, wanted.limit, crowded
    found = await connection.fetch(statement, *asked)

    async def some(rows: Sequence[Any]) -> list[ClaimedDelivery]:
        claims = [computed(_claimed, row, now_us) for row in rows]
        marks = [(e.delivery.num, e.delivery.attempts, e.delivery.next_try_us) for e in claims]
        if marks:
            await connection.execute(_MARK, *columns(marks, 3))
        return claims

    async def one(_: Any, row: Any) -> list[ClaimedDelivery]:
        return await some([row])

    if apart:
        parts = await each_apart(connection, _WORK, found, one, now_us=now_us)
    else:
        parts = [await some(found)]
    claims = [claim for part in parts for claim in part]
    claimed = {e.delivery.webhook_num for e in claims}
    next_us = await connection.fetchval(_NEXT, [*busy, *claimed], crowded)
    return ClaimedDeliveries(claims=tuple(claims), next_us=next_us)


def _claimed(row: Any, now_us: int) -> ClaimedDelivery:
    claimed = webhooks.claimed(tables.DELIVERIES.record(row), now_us)
    return ClaimedDelivery(
        delivery=claimed, user_id=row["user_id"], url=row["url"], secret=row["secret"]
    )


async def delivery_tried(
    connection: Any, tried: WebhookDelivery, outcome: Outcome, now_us: int
) -> None:
    async with connection.transaction():
        hook = await connection.fetchrow(
            "SELECT failures, paused_at FROM webhooks WHERE num = $1 FOR NO KEY UPDATE",
            tried.webhook_num,
        )
        if hook is None:
            return
        changed = webhooks.after_try(hook["failures"], outcome, now_us)
        if changed != (hook["failures"], hook["paused_at"]):
            await connection.execute(
                "UPDATE webhooks SET failures = $2, paused_at = $3 WHERE num = $1",
                tried.webhook_num,
                *changed,
            )
        row = await connection.fetchrow(
            f"SELECT {_DELIVERY} FROM webhook_deliveries d WHERE d.num = $1 FOR UPDATE", tried.num
        )
        # Another try may have begun since, or the delivery was requested again: this was not the
        # last try.
        if row is not None and (row["state"], row["attempts"]) == (PENDING, tried.attempts):
            await _update(
                connection, webhooks.tried(tables.DELIVERIES.record(row), outcome, now_us)
            )

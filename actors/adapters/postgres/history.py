"""Feeds, their readings, and refused messages."""

from typing import Any

import asyncpg

from actors.adapters.postgres.history_deletion import erase_feeds
from actors.adapters.postgres.listeners import notify_settings
from actors.adapters.postgres.tables import FEEDS
from actors.adapters.postgres.wire import rows
from actors.adapters.postgres.wire.isolation import ABOUT_ROWS
from actors.adapters.postgres.wire.optimistic_lock import revise
from actors.adapters.postgres.wire.shares import check_share
from actors.ports.store import FeedPage
from protocol.device import commands
from protocol.errors import Conflict
from protocol.people.people import AUDIT_KEPT_DAYS
from protocol.problems.detail import Detail
from protocol.records import Feed, StoredReading
from protocol.rest.bounds import check_room, place_of_feeds
from protocol.schedule import schedules
from protocol.webhook import deliveries

REFUSALS_KEPT_DAYS = 30


async def add_feed(
    connection: Any, feed: Feed, most: int | None, most_of_device: int | None
) -> Feed:
    async with connection.transaction():
        await check_share(connection, "feeds", feed.user_id, most)
        await _check_place(connection, feed, most_of_device)
        await notify_settings(connection, [feed.user_id])
        return await _add_feed(connection, feed)


async def _check_place(connection: Any, feed: Feed, most: int | None) -> None:
    """Others that add feeds of this user wait meanwhile (`check_share`)."""
    if most is None:
        return
    place = "device_id IS NULL AND user_id" if feed.device_id is None else "device_id"
    count = await connection.fetchval(
        f"SELECT count(*) FROM feeds WHERE {place} = $1::text::uuid AND NOT archived",
        feed.device_id or feed.user_id,
    )
    check_room(place_of_feeds(feed.device_id), count, 1, most)


async def _add_feed(connection: Any, feed: Feed) -> Feed:
    try:
        await connection.execute(FEEDS.insert(), *FEEDS.arguments(feed))
    except asyncpg.UniqueViolationError:
        raise Conflict(Detail("feed_exists", key=feed.key)) from None
    found = await feed_of(connection, feed.user_id, feed.id)
    assert found is not None
    return found


async def feed_of(connection: Any, user_id: str, feed_id: str) -> Feed | None:
    row = await connection.fetchrow(
        f"SELECT {rows.FEED} FROM {FEEDS.source}"
        " WHERE f.id = $2::text::uuid AND f.user_id = $1::text::uuid",
        user_id,
        feed_id,
    )
    return None if row is None else rows.feed(row)


async def update_feed(connection: Any, feed: Feed, known: int | None) -> None:
    async with connection.transaction():
        await revise(connection, FEEDS, feed, known)
        await notify_settings(connection, [feed.user_id])


async def delete_feed(connection: Any, user_id: str, feed_id: str) -> None:
    async with connection.transaction():
        await notify_settings(connection, [user_id])
        num = await connection.fetchval(
            "SELECT num FROM feeds WHERE id = $2::text::uuid AND user_id = $1::text::uuid",
            user_id,
            feed_id,
        )
        if num is not None:
            await erase_feeds(connection, [num])


async def feed_values(connection: Any, page: FeedPage) -> list[StoredReading]:
    """Newest first, by the primary key backwards."""
    ts_us, device_num, digest = page.before or (None, None, None)
    found = await connection.fetch(
        "SELECT ts, device_num, digest, number, text, boolean, flagged FROM feed_values"
        " WHERE feed_num = $1 AND ($2::timestamptz IS NULL OR ts >= $2)"
        " AND ($3::timestamptz IS NULL OR ts < $3)"
        " AND ($4::timestamptz IS NULL OR (ts, device_num, digest) < ($4, $5::bigint, $6))"
        " ORDER BY ts DESC, device_num DESC, digest DESC LIMIT $7",
        page.feed_num,
        page.start_us,
        page.end_us,
        ts_us,
        device_num,
        digest,
        page.limit,
    )
    return [
        StoredReading(row["ts"], row["device_num"], row["digest"], rows.value(row), row["flagged"])
        for row in found
    ]


_OLD = (
    ("message_ids", "seen_at", 7, "true"),
    ("message_ids_before", "seen_at", 7, "true"),
    ("tickets", "expires_at", 0, "true"),
    ("sessions", "expires_at", 0, "true"),
    ("password_resets", "expires_at", 0, "true"),
    ("email_verifications", "expires_at", 0, "true"),
    ("rejected_messages", "received_at", REFUSALS_KEPT_DAYS, "true"),
    ("refusals_not_kept", "last_at", REFUSALS_KEPT_DAYS, "true"),
    ("commands", "created_at", commands.KEPT_DAYS, "state NOT IN ('queued', 'sent')"),
    ("schedule_occurrences", "due_at", schedules.KEPT_DAYS, "state <> 'pending'"),
    ("webhook_deliveries", "created_at", deliveries.DELIVERED_KEPT_DAYS, "state = 'delivered'"),
    ("webhook_deliveries", "created_at", deliveries.DEAD_KEPT_DAYS, "state = 'dead'"),
)


async def tidy(connection: Any, audit_days: int = AUDIT_KEPT_DAYS) -> Exception | None:
    """Delete rows that are old and have ended, in portions, so that nobody waits. If rows of one
    table fail, all other tables are still tidied; return that error."""
    failed: Exception | None = None
    audit = ("audit_log", "at", audit_days, "true")
    for table, column, days, has_ended in (*_OLD, audit):
        status = ""
        while status != "DELETE 0":
            try:
                status = await connection.execute(
                    f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE"
                    f" {column} < now() - interval '{days} days' AND {has_ended} LIMIT 10000))"
                )
            except ABOUT_ROWS as error:
                failed = failed or error
                break
    return failed

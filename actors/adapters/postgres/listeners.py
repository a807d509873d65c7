"""Listeners of users."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from actors.adapters.postgres.people import CHANNEL
from actors.adapters.postgres.row_letters import note_listener
from actors.adapters.postgres.tables import LISTENERS
from actors.adapters.postgres.wire.isolation import (
    MAY_BE_ROWS,
    always,
    computed,
    halves_apart,
    whole_or_halves,
)
from actors.adapters.postgres.wire.pool import PooledCalls
from protocol.dead_letters import reason_of
from protocol.device.listeners import AGAIN, SETTINGS, Listener
from protocol.times import check_times


def _listener(row: Any) -> Listener:
    found = LISTENERS.record(row)
    check_times(found)
    return found


async def listener_where(connection: Any, where: str, value: str) -> Listener | None:
    row = await connection.fetchrow(
        f"SELECT {LISTENERS.selected} FROM {LISTENERS.source} WHERE {where}", value
    )
    return None if row is None else _listener(row)


async def set_listener(connection: Any, new: Listener) -> None:
    async with connection.transaction():
        replaced = ", ".join(f"{each.name} = excluded.{each.name}" for each in LISTENERS.settings)
        await connection.execute(
            f"{LISTENERS.insert()} ON CONFLICT (user_id) DO UPDATE SET {replaced}",
            *LISTENERS.arguments(new),
        )
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, new.user_id)


async def say_again(connection: Any, user_id: str) -> None:
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, AGAIN + user_id)


async def notify_settings(connection: Any, user_ids: Sequence[str]) -> None:
    """In the transaction that changes these users' objects: other processes read them again. The
    leader publishes them for users with a listener, even if this process ends first."""
    await connection.execute(
        "SELECT pg_notify($1, $3 || u.user_id) FROM unnest($2::text[]) AS u (user_id)"
        " UNION ALL SELECT pg_notify($1, l.user_id::text) FROM listeners l"
        " WHERE l.user_id = ANY($2::text[]::uuid[])",
        CHANNEL,
        list(user_ids),
        SETTINGS,
    )


async def delete_listener(connection: Any, user_id: str) -> Listener | None:
    row = await connection.fetchrow(
        "DELETE FROM listeners n WHERE user_id = $1::text::uuid"
        f" RETURNING {LISTENERS.selected}, pg_notify($2, user_id::text)",
        user_id,
        CHANNEL,
    )
    return None if row is None else _listener(row)


async def listeners(connection: Any) -> list[Listener]:
    """All listeners except those whose rows cannot be read; these are put aside."""
    try:
        return await _of_users(connection, None)
    except MAY_BE_ROWS:
        pass
    users = await connection.fetch("SELECT user_id::text FROM listeners ORDER BY user_id")

    async def aside(user_id: str, error: Exception) -> None:
        await note_listener(connection, user_id, reason_of(error))

    async with connection.transaction():
        ids = [row["user_id"] for row in users]
        read = partial(_of_users, connection)
        return await halves_apart(connection, ids, read, aside)


async def listener_logins(connection: Any, usernames: Sequence[str]) -> dict[str, Listener]:
    """A listener whose row cannot be read is put aside and cannot log in; all others can."""

    async def read(some: Sequence[str]) -> list[Listener]:
        found = await connection.fetch(
            f"SELECT {LISTENERS.selected} FROM {LISTENERS.source} WHERE username = ANY($1)"
            " AND user_id NOT IN (SELECT id FROM users WHERE disabled_at IS NOT NULL)",
            list(some),
        )
        return [computed(_listener, row) for row in found]

    async def aside(username: str, error: Exception) -> None:
        user_id = await connection.fetchval(
            "SELECT user_id::text FROM listeners WHERE username = $1", username
        )
        if user_id is not None:
            await note_listener(connection, user_id, reason_of(error))

    found = await whole_or_halves(connection, usernames, read, aside, always)
    return {listener.username: listener for listener in found}


async def _of_users(connection: Any, user_ids: Sequence[str] | None) -> list[Listener]:
    """Those of these users, or all."""
    which = "" if user_ids is None else " WHERE user_id = ANY($1::text[]::uuid[])"
    asked = () if user_ids is None else (list(user_ids),)
    found = await connection.fetch(
        f"SELECT {LISTENERS.selected} FROM {LISTENERS.source}{which}", *asked
    )
    return [computed(_listener, row) for row in found]


class ListenerCalls(PooledCalls):
    """See `actors.ports.listeners.ListenerStore`."""

    async def listener(self, user_id: str) -> Listener | None:
        return await self._work(listener_where, "user_id = $1::text::uuid", user_id)

    async def set_listener(self, listener: Listener) -> None:
        await self._work(set_listener, listener)

    async def delete_listener(self, user_id: str) -> Listener | None:
        return await self._work(delete_listener, user_id)

    async def say_again(self, user_id: str) -> None:
        await self._work(say_again, user_id)

    async def listener_logins(self, usernames: Sequence[str]) -> dict[str, Listener]:
        return await self._work(listener_logins, usernames)

    async def listeners(self) -> list[Listener]:
        return await self._work(listeners)

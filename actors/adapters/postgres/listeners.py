"""Listeners of users."""

from typing import Any

from actors.adapters.postgres.crossing import Crossing
from actors.adapters.postgres.people import CHANNEL
from protocol.listeners import Listener

_LISTENER = "user_id::text, username, password_sha256, home_assistant, created_at"


def _listener(row: Any) -> Listener:
    return Listener(
        user_id=row["user_id"],
        username=row["username"],
        password_sha256=row["password_sha256"],
        home_assistant=row["home_assistant"],
        created_us=row["created_at"],
    )


async def listener_where(connection: Any, where: str, value: str) -> Listener | None:
    row = await connection.fetchrow(f"SELECT {_LISTENER} FROM listeners WHERE {where}", value)
    return None if row is None else _listener(row)


async def set_listener(connection: Any, new: Listener) -> None:
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO listeners (user_id, username, password_sha256, home_assistant, created_at)"
            " VALUES ($1::text::uuid, $2, $3, $4, $5) ON CONFLICT (user_id) DO UPDATE SET"
            " username = excluded.username, password_sha256 = excluded.password_sha256,"
            " home_assistant = excluded.home_assistant, created_at = excluded.created_at",
            new.user_id,
            new.username,
            new.password_sha256,
            new.home_assistant,
            new.created_us,
        )
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, new.user_id)


async def delete_listener(connection: Any, user_id: str) -> Listener | None:
    row = await connection.fetchrow(
        "DELETE FROM listeners WHERE user_id = $1::text::uuid"
        f" RETURNING {_LISTENER}, pg_notify($2, user_id::text)",
        user_id,
        CHANNEL,
    )
    return None if row is None else _listener(row)


async def listeners(connection: Any) -> list[Listener]:
    return [_listener(r) for r in await connection.fetch(f"SELECT {_LISTENER} FROM listeners")]


class ListenerCalls(Crossing):
    """See `actors.ports.listeners.ListenerStore`."""

    async def listener(self, user_id: str) -> Listener | None:
        return await self._work(listener_where, "user_id = $1::text::uuid", user_id)

    async def set_listener(self, listener: Listener) -> None:
        await self._work(set_listener, listener)

    async def delete_listener(self, user_id: str) -> Listener | None:
        return await self._work(delete_listener, user_id)

    async def listener_login(self, username: str) -> Listener | None:
        return await self._work(listener_where, "username = $1", username)

    async def listeners(self) -> list[Listener]:
        return await self._work(listeners)

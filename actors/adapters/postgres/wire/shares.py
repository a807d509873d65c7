"""How many of a noun one user may have, also when many are added at the same time."""

from typing import Any

from protocol.rest.bounds import check_room

# Tables, and the codes of what too many rows are answered with.
FULL = {
    "devices": "devices_full",
    "feeds": "feeds_full",
    "media_schedules": "schedules_full",
    "webhooks": "webhooks_full",
}


async def check_share(
    connection: Any, table: str, user_id: str, most: int | None, more: int = 1
) -> None:
    """Inside the transaction that adds them: other additions of this user wait for its end. An
    index counts ten thousand rows in a millisecond or two.

    Raises:
        Conflict: the user would have more than that.
    """
    if most is None:
        return
    await connection.execute(
        "SELECT FROM users WHERE id = $1::text::uuid FOR NO KEY UPDATE", user_id
    )
    count = await connection.fetchval(
        f"SELECT count(*) FROM {table} WHERE user_id = $1::text::uuid", user_id
    )
    check_room(FULL[table], count, more, most)

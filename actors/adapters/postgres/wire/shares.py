"""How many of a noun one user may have, also when many are added at the same time."""

from typing import Any

from protocol.rest.bounds import check_room

# Tables, and what people call their contents.
NOUNS = {
    "devices": "devices",
    "feeds": "feeds",
    "media_schedules": "schedules",
    "webhooks": "webhooks",
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
    check_room(NOUNS[table], count, more, most)

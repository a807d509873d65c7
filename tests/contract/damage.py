"""Rows that nobody can read, for claims: as a disk leaves them, or an import by hand.

await lost(home.store, "commands", num)     # the value is gone: the server fails
await garbled(home.store, "commands", num)  # the value is no text: the client fails
await mended(home.store, "commands", num, "{}")
"""

from typing import Any

from actors.adapters.memory.store.store import MemoryStore

# A wide column of each table, and its list.
COLUMNS = {
    "commands": ("payload", "commands"),
    "media_schedules": ("recurrence", "media-schedules"),
    "schedule_occurrences": ("detail", "occurrences"),
    "webhook_deliveries": ("body", "deliveries"),
    "webhooks": ("description", "webhooks"),
    "devices": ("name", "devices"),
    "feeds": ("name", "feeds"),
    "alarms": ("detail", "alarms"),
}
# More than a row holds, also when it is compressed, by the type of the column.
_WIDE = {
    "text": "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 400) AS n)",
    "bytea": "(SELECT string_agg(sha256(n::text::bytea), '') FROM generate_series(1, 400) AS n)",
    "text[]": "(SELECT array_agg(md5(n::text)) FROM generate_series(1, 400) AS n)",
    "integer[]": "(SELECT array_agg(hashtext(n::text)) FROM generate_series(1, 4000) AS n)",
}
_GARBLED = {
    "text": "'\\xff22'::bytea::text",
    "text[]": "ARRAY['\\xff22'::bytea::text]",
}
_TYPE = """
SELECT format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attname = $2
"""


async def lost(
    store: Any, table: str, num: Any, column: str | None = None, key: str = "num"
) -> None:
    """Its value was moved out of the row, and is not where it was moved to."""
    column = column or COLUMNS[table][0]
    if isinstance(store, MemoryStore):
        store.unreadable[COLUMNS[table][1], num] = "DataCorruptedError: missing chunk number 0"
        return

    async def unit(connection: Any) -> None:
        kind_of = await connection.fetchval(_TYPE, table, column)
        name, toast = await connection.fetchrow(
            "SELECT reltoastrelid::regclass::text, reltoastrelid FROM pg_class"
            " WHERE oid = $1::text::regclass",
            table,
        )
        before = await connection.fetch(f"SELECT chunk_id FROM {name}")
        await connection.execute(
            f"UPDATE {table} SET {column} = {_WIDE[kind_of]} WHERE {key} = $1", num
        )
        # A superuser may delete from there if it is called an ordinary table meanwhile.
        await connection.execute("SET allow_system_table_mods = on")
        kind = 'UPDATE pg_class SET relkind = $2::text::"char" WHERE oid = $1'
        await connection.execute(kind, toast, "r")
        known = [row["chunk_id"] for row in before]
        done = await connection.execute(
            f"DELETE FROM {name} WHERE NOT chunk_id = ANY($1::oid[])", known
        )
        assert done != "DELETE 0"
        await connection.execute(kind, toast, "t")
        await connection.execute("RESET allow_system_table_mods")
        await connection.execute(f"VACUUM {table}")  # until then it finds what was deleted

    await store._work(unit)


async def garbled(
    store: Any, table: str, num: Any, column: str | None = None, key: str = "num"
) -> None:
    """Its value is no UTF-8."""
    column = column or COLUMNS[table][0]
    if isinstance(store, MemoryStore):
        store.unreadable[COLUMNS[table][1], num] = "UnicodeDecodeError: invalid start byte"
        return

    async def unit(connection: Any) -> None:
        kind_of = await connection.fetchval(_TYPE, table, column)
        async with connection.transaction():
            await connection.execute("CREATE CAST (bytea AS text) WITHOUT FUNCTION")
            await connection.execute(
                f"UPDATE {table} SET {column} = {_GARBLED[kind_of]} WHERE {key} = $1", num
            )
            await connection.execute("DROP CAST (bytea AS text)")

    await store._work(unit)


async def mended(store: Any, table: str, num: int, value: str, column: str | None = None) -> None:
    """Somebody has written the value anew."""
    if isinstance(store, MemoryStore):
        del store.unreadable[COLUMNS[table][1], num]
        return
    statement = f"UPDATE {table} SET {column or COLUMNS[table][0]} = $2 WHERE num = $1"
    await store._work(lambda connection: connection.execute(statement, num, value))

"""Writes some fields of records to existing rows: of one record, or of many in one statement.

await write(connection, ORDERS, ended, "state", "finished_us")

CHANGES = updating(COMMANDS, ("state", "attempts"))
await connection.execute(CHANGES, *arrays(("num", "state", "attempts"), changed))
"""

from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, get_args

from actors.adapters.postgres.wire.table import Column, R, Table

_TYPES = {bool: "boolean", int: "bigint", float: "float8", bytes: "bytea", Decimal: "numeric"}


async def write(connection: Any, table: Table[R], record: R, *fields: str) -> None:
    """Write fields of a record to its row."""
    columns = [table.key, *map(table.at, fields)]
    key, *sets = [f"{c.name} = {c.parameter(n)}" for n, c in enumerate(columns, 1)]
    await connection.execute(
        f"UPDATE {table.name} SET {', '.join(sets)} WHERE {key}",
        *(attrgetter(column.path)(record) for column in columns),
    )


def updating(table: Table[Any], fields: Sequence[str], first: int = 1) -> str:
    """A statement that writes fields of many rows, found by their key.

    Its parameters, numbered from `first`, are the `arrays` of the key and the fields.
    """
    columns = [table.key, *map(table.at, fields)]
    key, *sets = [f"{column.name} = {_cast(column)}" for column in columns]
    return f"""
UPDATE {table.name} {table.short} SET {", ".join(sets)}
FROM {_unnested(columns, first)} WHERE {table.short}.{key}
"""


def inserting(table: Table[Any], fields: Sequence[str]) -> str:
    """A statement that adds many rows with these fields; its parameters are the `arrays`."""
    columns = [table.at(field) for field in fields]
    return f"""
INSERT INTO {table.name} ({", ".join(column.name for column in columns)})
SELECT {", ".join(_cast(column) for column in columns)} FROM {_unnested(columns, 1)}
"""


def arrays(fields: Sequence[str], records: Sequence[Any]) -> list[list[Any]]:
    """The values of each field, over all records."""
    reads = [attrgetter(field) for field in fields]
    return [[read(record) for record in records] for read in reads]


def _unnested(columns: Sequence[Column], first: int) -> str:
    values = ", ".join(f"${n}::{_type(column)}[]" for n, column in enumerate(columns, first))
    return f"unnest({values}) AS i ({', '.join(column.name for column in columns)})"


def _cast(column: Column) -> str:
    return f"i.{column.name}::uuid" if column.is_uuid else f"i.{column.name}"


def _type(column: Column) -> str:
    """The type of an array's values; wider than the column's for integers."""
    if column.is_time:
        return "timestamptz"
    types = get_args(column.kind) or (column.kind,)
    return next((name for kind, name in _TYPES.items() if kind in types), "text")

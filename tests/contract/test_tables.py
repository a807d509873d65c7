"""Each field of a record has its column: what is described is what the migrations made."""

from actors.adapters.postgres import tables
from actors.adapters.postgres.wire.table import Table
from tests.contract.pg_scene import Scene

TABLES = [found for found in vars(tables).values() if isinstance(found, Table)]


async def test_every_column_of_a_table_is_there(scene: Scene) -> None:
    assert TABLES
    for table in TABLES:
        await scene.fetch(f"SELECT {table.selected} FROM {table.source} LIMIT 0")
        await scene.fetch(f"SELECT {table.names} FROM {table.name} LIMIT 0")

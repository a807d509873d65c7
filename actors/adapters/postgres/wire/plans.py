"""Plans for tables that grow faster than they are analyzed.

A connection keeps the plan that it made for a statement. If the table had only a few rows then, the
plan reads the whole table, and still does when there are many, until PostgreSQL analyzes the table,
a minute later or more (`tests/contract/test_plans.py`). `use_indexes` and `plan_each_time` apply
to the rest of a transaction.
"""

from typing import Any


async def use_indexes(connection: Any) -> None:
    """For claims, which run a hundred times a second and always find their few rows by an index.

    Planning them each time instead would double what a claim costs the server (from 1.6 to 3.2 ms
    of CPU for one occurrence, from 0.5 to 1.3 ms if nothing is due).
    """
    await connection.execute("SET LOCAL enable_seqscan = off")


async def fetch_by_index(connection: Any, query: str, *args: Any) -> list[Any]:
    """The rows of one query; what follows it in the caller's transaction is planned as usual."""
    async with connection.transaction():
        await use_indexes(connection)
        rows: list[Any] = await connection.fetch(query, *args)
        # The end of a savepoint would keep the setting.
        await connection.execute("SET LOCAL enable_seqscan TO DEFAULT")
    return rows


async def plan_each_time(connection: Any) -> None:
    """For large queries: a plan for the present data, at the cost of some tenths of a
    millisecond."""
    await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")

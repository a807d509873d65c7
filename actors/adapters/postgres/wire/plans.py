"""Plans for tables that grow faster than they are analyzed.

A connection keeps the plan that it made for a statement. Made while a table had a few rows, it
reads the whole table, and goes on so when there are many, until PostgreSQL analyzes the table, a
minute later or more (`tests/contract/test_plans.py`). Both calls count for the rest of a
transaction.
"""

from typing import Any


async def use_indexes(connection: Any) -> None:
    """For claims, which come a hundred times a second and find their few by an index, always.

    To plan them each time instead doubles what a claim costs the server (1.6 ms to 3.2 ms of its
    CPU for one occurrence, 0.5 to 1.3 ms where nothing is due).
    """
    await connection.execute("SET LOCAL enable_seqscan = off")


async def plan_each_time(connection: Any) -> None:
    """For what reads much: a plan by what there is now, for some tenths of a millisecond."""
    await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")

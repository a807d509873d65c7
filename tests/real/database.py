"""Direct access to the database of a running `roost up`, to block it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncpg

from roost.embedded.postgres import url_of
from tests.real.harness import WAIT_S, Roost


@contextmanager
def locked(roost: Roost, table: str) -> Iterator[Callable[[], None]]:
    """Lock a table against all others until the block ends, or the yielded function is called."""
    is_locked, released = threading.Event(), threading.Event()
    url = url_of(roost.data_dir / "postgres")

    async def hold() -> None:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                is_locked.set()
                await asyncio.to_thread(released.wait)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if not is_locked.is_set():  # later the server may have ended with the test
                raise
        finally:
            connection.terminate()

    holder = threading.Thread(target=lambda: asyncio.run(hold()))
    holder.start()
    try:
        assert is_locked.wait(WAIT_S)
        yield released.set
    finally:
        released.set()
        holder.join()

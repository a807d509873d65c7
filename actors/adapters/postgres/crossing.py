"""From Trio to PostgreSQL and back: one crossing into asyncio for each unit of work.

Every noun has a module with functions on a connection, and beside them its part of the Store port:
a class of calls that `PostgresStore` is put together from.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from actors.adapters.bridge import Bridge
from actors.adapters.postgres import connecting

T = TypeVar("T")


class Crossing:
    """A bridge to asyncio and two pools of connections behind it."""

    def __init__(self, bridge: Bridge, url: str, reading: Any, writing: Any) -> None:
        self._bridge = bridge
        self._url = url
        self._reading = reading
        self._writing = writing

    async def _work(
        self, work: Callable[..., Coroutine[Any, Any, T]], *args: Any, writing: bool = False
    ) -> T:
        """`work(connection, *args)` on a connection of a pool."""
        pool = self._writing if writing else self._reading

        async def unit() -> T:
            async with pool.acquire(timeout=connecting.CONNECT_TIMEOUT_S) as connection:
                return await work(connection, *args)

        return await self._cross(unit)

    async def _cross(self, unit: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """One crossing into asyncio; asyncpg's errors come back as ours."""
        try:
            return await self._bridge.run(unit)
        except Exception as error:
            told = connecting.meaning(error)
            if told is error:
                raise
            raise told from error

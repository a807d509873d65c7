"""From Trio to PostgreSQL and back: each unit of work enters asyncio once.

Every noun has a module with functions on a connection, and its part of the Store port: a class of
calls. `PostgresStore` is composed of these classes.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import trio

from actors.adapters.asyncio_bridge import Bridge
from actors.adapters.postgres.wire import connections
from actors.adapters.postgres.wire.connections import Connection
from protocol.errors import Unavailable

T = TypeVar("T")

# For a unit of work, whatever it contains. One deadline on Trio's side, because each timer of the
# asyncio loop costs as much as a statement, and stays in its heap until it would have rung.
UNIT_WITHIN_S = 30.0
# Until a connection is free; after that, people are told to try again.
PLACE_WITHIN_S = 5.0


class Pool:
    """Some connections, and as many places for those who use them at the same time."""

    def __init__(self, pool: Any, size: int) -> None:
        self.pool = pool
        self._places = trio.Semaphore(size)

    async def take_place(self) -> None:
        """Raises `Unavailable` if none becomes free in time."""
        try:
            with trio.fail_after(PLACE_WITHIN_S):
                await self._places.acquire()
        except trio.TooSlowError:
            raise Unavailable("all connections to the database are busy") from None

    def leave_place(self) -> None:
        self._places.release()

    async def use(self, work: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """`work(connection, *args)`; asyncio-flavored, for a caller that has a place."""
        connection = await self.pool.acquire()
        try:
            done = await work(connection, *args)
        except BaseException:
            # A cancelled statement is cancelled at the server, too; nobody waits for that forever.
            await self.pool.release(connection, timeout=connections.CLOSE_TIMEOUT_S)  # noqa: ASYNC102
            raise
        await self.pool.release(connection)
        return done


class PooledCalls:
    """A bridge to asyncio and three pools of connections, all of one kind, behind it."""

    def __init__(
        self,
        bridge: Bridge,
        url: str,
        kind: type[Connection],
        reading: Pool,
        writing: Pool,
        leading: Pool,
    ) -> None:
        self._bridge = bridge
        self._url = url
        self._kind = kind
        self._reading = reading
        self._writing = writing
        self._leading = leading

    async def _work(
        self,
        work: Callable[..., Coroutine[Any, Any, T]],
        *args: Any,
        writing: bool = False,
        within_s: float = UNIT_WITHIN_S,
    ) -> T:
        """`work(connection, *args)` on a connection for people, or on the writer's."""
        pool = self._writing if writing else self._reading
        return await self._work_in(pool, work, *args, within_s=within_s)

    async def _work_in(
        self,
        pool: Pool,
        work: Callable[..., Coroutine[Any, Any, T]],
        *args: Any,
        within_s: float,
    ) -> T:
        """`work(connection, *args)` on a connection of that pool."""
        await pool.take_place()
        scope = trio.CancelScope(deadline=trio.current_time() + within_s)
        try:
            with scope:
                return await self._cross(lambda: pool.use(work, *args))
        except Unavailable:  # the error of a connection that was given up says little
            if not scope.cancel_called:
                raise
        finally:
            pool.leave_place()
        raise Unavailable(f"the database did not do it within {within_s:.0f} s")

    async def _cross(self, unit: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Enter asyncio once; translate asyncpg's errors into ours."""
        with connections.translated():
            return await self._bridge.run(unit)

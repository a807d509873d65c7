"""A store behind a proxy that loses connections, and the same database seen directly."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import trio

from actors.adapters.asyncio_bridge import Bridge, open_bridge
from actors.adapters.memory.clocks import SeededIds
from actors.adapters.postgres.store import PostgresStore, open_store
from actors.ports.store import Batch
from protocol.errors import Unavailable
from protocol.records import Rejection, Taken
from tests.contract.pg_proxy import PgProxy, open_proxy
from tests.contract.test_store import Home, of
from tests.unit.makers import DEVICE, NOW, USER, some_alarm

T = TypeVar("T")

WAIT_S = 30.0  # PostgreSQL recovers from a killed backend; on a busy machine that takes its time
SESSION = "s"
HALT = 7  # the advisory lock that commits wait for after `halt_commits`

# A deferred trigger runs inside COMMIT: nothing is left for the client to do.
_HALTING = (
    "CREATE FUNCTION halt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    f" PERFORM pg_advisory_xact_lock_shared({HALT}); RETURN NULL; END $$",
    "CREATE CONSTRAINT TRIGGER halt AFTER INSERT ON commits DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION halt()",
    f"SELECT pg_advisory_lock({HALT})",
)
_COUNTS = """
SELECT (SELECT count(*) FROM commits), (SELECT count(*) FROM feed_values),
    (SELECT count(*) FROM rejected_messages), (SELECT count(*) FROM alarms),
    (SELECT coalesce(sum(length(digests)) / 16, 0)::integer FROM taken)
"""
_WAITING = """
SELECT a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE NOT l.granted AND l.locktype = $1 AND a.datname = current_database()
"""


class Scene:
    """One database with a home in it: the store under test, and a connection that looks on."""

    def __init__(
        self, url: str, proxy: PgProxy, store: PostgresStore, home: Home, bridge: Bridge
    ) -> None:
        self.url = url
        self.proxy = proxy
        self.store = store  # through the proxy
        self.home = home  # directly
        self.has_more = True  # than one statement stores
        self._bridge = bridge
        self._connection: Any = None
        self._ids = SeededIds(random.Random(7))

    async def fetch(self, query: str, *args: Any) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._bridge.run(asyncpg.connect, self.url)
        rows: list[Any] = await self._bridge.run(self._connection.fetch, query, *args)
        return [tuple(row) for row in rows]

    async def is_lost(self) -> bool:
        """Whether the connection that looks on was closed by the server."""
        return bool(self._connection.is_closed())

    async def counts(self) -> tuple[int, ...]:
        """Rows of commits, readings, refusals and alarms, and identities."""
        (counts,) = await self.fetch(_COUNTS)
        return counts

    @property
    def once(self) -> tuple[int, ...]:
        """The counts after one batch."""
        return (1, 1, 1, 1, 1) if self.has_more else (1, 1, 0, 0, 1)

    async def waiting_for(self, locktype: str) -> list[int]:
        """The backends that wait for a lock of that type."""
        # An open transaction would see those of its first look.
        await self.fetch("SELECT pg_stat_clear_snapshot()")
        return [pid for (pid,) in await self.fetch(_WAITING, locktype)]

    async def halt_commits(self) -> None:
        """From now on a COMMIT stays unfinished on the server until `resume_commits`."""
        for statement in _HALTING:
            await self.fetch(statement)

    async def resume_commits(self) -> None:
        await self.fetch(f"SELECT pg_advisory_unlock({HALT})")

    def batch(self, n: int = 0) -> Batch:
        """Something of everything: one new reading and its double, a refusal, an alarm; these two
        only where it `has_more`."""
        reading = self.home.reading(float(n))
        change = some_alarm(
            reading.feed_num,
            id=self._ids.uuid(),
            device_num=self.home.device.num,
            kind=f"kind {n}",  # one alarm of a place and kind is open at a time
        )
        rejection = Rejection(USER, DEVICE, NOW, "t", "p", "utf-8", "r", "d")
        units = (
            of(reading, reading, taken=Taken(SESSION, n.to_bytes(16, "big"))),
            of(rejections=(rejection,), alarms=(change,)) if self.has_more else of(),
        )
        return Batch(id=self._ids.uuid(), units=units, confirmed={})

    async def close(self) -> None:
        if self._connection is not None:
            await self._bridge.run(self._connection.close)


@asynccontextmanager
async def open_scene(url: str) -> AsyncIterator[Scene]:
    async with (
        open_bridge("test") as bridge,
        open_proxy(url) as proxy,
        open_store(proxy.url) as store,
        open_store(url) as direct,
    ):
        scene = Scene(url, proxy, store, await Home(direct).furnish(), bridge)
        try:
            yield scene
        finally:
            with trio.move_on_after(WAIT_S, shield=True):
                await scene.close()


class Call:
    """A call that goes on beside the test: `nursery.start_soon(call.run, store.commit, batch)`."""

    def __init__(self) -> None:
        self.answer: Any = None  # or the `Unavailable` that came instead
        self._ended = trio.Event()

    async def run(self, call: Callable[..., Awaitable[Any]], *args: Any) -> None:
        try:
            self.answer = await call(*args)
        except Unavailable as error:
            self.answer = error
        self._ended.set()

    @property
    def failed(self) -> bool:
        return isinstance(self.answer, Unavailable)

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    async def wait_ended(self) -> Any:
        with trio.fail_after(WAIT_S):
            await self._ended.wait()
        return self.answer


async def attempt(call: Callable[..., Awaitable[Any]], *args: Any) -> Call:
    """A call that may find the store unavailable, and has ended."""
    made = Call()
    await made.run(call, *args)
    return made


async def until(probe: Callable[[], Awaitable[T]]) -> T:
    """Ask until the answer is true; for what the server does in its own time."""
    with trio.fail_after(WAIT_S):
        while not (found := await probe()):
            await trio.sleep(0.01)
    return found

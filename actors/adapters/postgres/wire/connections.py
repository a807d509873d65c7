"""Pools of connections, and what their errors mean for the service."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import asyncpg

from actors.adapters.postgres.wire.isolation import is_content
from protocol.errors import Unavailable, Unstorable, in_words

# asyncpg's "tuple" form of a timestamptz is (microseconds since 2000-01-01,): exact integers both
# ways, and no datetime object for each reading.
PG_EPOCH_US = 946_684_800_000_000

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 1.0
# Until the server has ended a cancelled statement; that takes milliseconds.
CANCEL_WITHIN_S = 1.0

SETTINGS = {
    "application_name": "roost",
    "timezone": "UTC",
    "statement_timeout": "20s",
    "idle_in_transaction_session_timeout": "30s",
    # The cost of today's disks; and nothing is compiled because a scan seems expensive.
    "random_page_cost": "1.1",
    "jit": "off",
}

# For the writer: a commit never pauses between two statements. The next leader waits for the
# commits of a leader that hangs, so the server ends them about when the lease runs out.
# The statement of a commit is planned once: planning it each time takes 0.7 ms of 1.7 for one
# reading, and gains nothing for thousands. The plan that is made for empty tables is the right one
# for full ones, too (`tests/contract/test_plans.py`).
COMMITTING = {
    "idle_in_transaction_session_timeout": "3s",
    "plan_cache_mode": "force_generic_plan",
}

# For a connection that holds a lock: the server checks whether its client is still there.
ALIVE = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "2"}

# Every error that is not about our data: the server is gone, full, locked, recovering or failing,
# or refuses us.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that was cut in the middle of a message
)
# A mistake in our own statements must not be hidden; a privilege that was revoked may come back.
_OURS = (asyncpg.SyntaxOrAccessError,)
_GRANTED = (asyncpg.InsufficientPrivilegeError,)


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection whose statements end when they are cancelled, even if the server does not
    answer.

    To cancel a statement, asyncpg asks the server over another connection. The next statement on
    this one (the ROLLBACK, in a transaction) waits for that without a limit: as long as the kernel
    considers the peer alive. So a unit of work without an answer would exceed its deadline by
    minutes, and every later one would wait for its connection.

    Attributes:
        unanswered_s: when (by the loop's clock) a cancel request on any connection of this kind
        (`kind`) last got no answer.
        pids: of the server's processes behind the connections of this kind.
    """

    unanswered_s = float("-inf")
    pids: ClassVar[set[int]] = set()

    async def _cancel(self, waiter: Any, cancel_waiter: Any = None) -> None:
        # Guarded by `tests/contract/test_hung_database.py`.
        timer = asyncio.get_running_loop().call_later(CANCEL_WITHIN_S, self._leave_unanswered)
        try:
            await super()._cancel(waiter, cancel_waiter)
        finally:
            timer.cancel()

    def _leave_unanswered(self) -> None:
        type(self).unanswered_s = asyncio.get_running_loop().time()
        self.terminate()


def kind() -> type[Connection]:
    """A connection class for one store."""
    return type("StoreConnection", (Connection,), {"pids": set()})


def _encode_us(us: int) -> tuple[int]:
    return (us - PG_EPOCH_US,)


def _decode_us(value: tuple[int]) -> int:
    return value[0] + PG_EPOCH_US


async def prepare(connection: Any) -> None:
    """Make a new connection speak microseconds since 1970 for `timestamptz`."""
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        encoder=_encode_us,
        decoder=_decode_us,
        format="tuple",
    )


async def _enter(connection: Any) -> None:
    """Prepare a connection of a pool, and recognise its notifications as our own."""
    pids, pid = type(connection).pids, connection.get_server_pid()
    pids.add(pid)
    connection.add_termination_listener(lambda _: pids.discard(pid))
    await prepare(connection)


async def _leave(connection: Any) -> None:
    """Nothing to reset: no unit of work leaves settings, locks or a LISTEN in its session, and
    asyncpg has rolled back an open transaction by now. This saves a round trip for each unit."""


async def open_pool(url: str, size: int, of: type[Connection], **settings: str) -> Any:
    """A pool that connects at its first use, so that the service can start before its database.

    It has no timers for statements and idle connections: `pool` has the deadlines.
    """
    return await asyncpg.create_pool(
        url,
        connection_class=of,
        min_size=0,
        max_size=size,
        init=_enter,
        reset=_leave,
        timeout=CONNECT_TIMEOUT_S,
        max_inactive_connection_lifetime=0,
        server_settings={**SETTINGS, **settings},
    )


async def connect(url: str, **settings: str) -> Any:
    connection = await asyncpg.connect(
        url,
        connection_class=Connection,
        timeout=CONNECT_TIMEOUT_S,
        server_settings={**SETTINGS, **settings},
    )
    await prepare(connection)
    return connection


async def close_pools(of: type[Connection], *pools: Any) -> bool:
    """Close them side by side; after a second, drop the connections that are not closed yet. Return
    False if there was such a connection, or one that was just given up without an answer."""
    began_s = asyncio.get_running_loop().time()
    closing = [asyncio.ensure_future(pool.close()) for pool in pools]
    _, late = await asyncio.wait(closing, timeout=CLOSE_TIMEOUT_S)
    for pool in pools:
        pool.terminate()  # no effect if it is closed
    # If closing failed, it was not closed in order either; the error tells nothing more.
    ended = await asyncio.gather(*closing, return_exceptions=True)
    left = of.unanswered_s > began_s - CANCEL_WITHIN_S
    return not (late or left or any(isinstance(each, BaseException) for each in ended))


def meaning(error: Exception) -> Exception:
    """Our error for one of asyncpg's: unavailable, refused because of its content, or unchanged."""
    # asyncpg wraps a codec's error about an argument in DataError, which is also an InterfaceError.
    if is_content(error):
        return Unstorable(in_words(error))
    if isinstance(error, _GRANTED) or (isinstance(error, _AWAY) and not isinstance(error, _OURS)):
        return Unavailable(in_words(error))
    return error


@contextmanager
def translated() -> Iterator[None]:
    """Around calls of asyncpg: raises our errors for asyncpg's, and any other as it is."""
    try:
        yield
    except Exception as error:
        told = meaning(error)
        if told is error:
            raise
        raise told from error

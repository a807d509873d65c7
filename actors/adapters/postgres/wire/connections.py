"""Pools of connections, and what their errors mean to the service."""

import asyncio
from typing import Any, ClassVar

import asyncpg

from actors.adapters.postgres.wire.isolation import is_content
from protocol.errors import Unavailable, Unstorable, in_words

# asyncpg's "tuple" form of a timestamptz is (microseconds since 2000-01-01,): exact integers both
# ways, and no datetime object for each reading.
PG_EPOCH_US = 946_684_800_000_000

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 1.0
# Until the server has ended a statement that was given up; it takes milliseconds.
CANCEL_WITHIN_S = 1.0

SETTINGS = {
    "application_name": "roost",
    "timezone": "UTC",
    "statement_timeout": "20s",
    "idle_in_transaction_session_timeout": "30s",
    # The price of disks of today; and nothing is compiled because a scan seems dear.
    "random_page_cost": "1.1",
    "jit": "off",
}

# Of the writer: between two statements of a commit nobody thinks. The next leader waits for commits
# of one that hangs, so the server ends them about when the lease does.
COMMITTING = {"idle_in_transaction_session_timeout": "3s"}

# For a connection that holds a lock: the server looks whether its client is still there.
ALIVE = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "2"}

# Everything that is not about what we sent: gone, full, locked, refused, in recovery, in trouble.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection says that was cut in the middle of a word
)
# A mistake in our own statements shall be loud; a privilege that was taken away comes back.
_OURS = (asyncpg.SyntaxOrAccessError,)
_GRANTED = (asyncpg.InsufficientPrivilegeError,)


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """One whose statements end when they are given up, also while nobody answers.

    asyncpg asks the server, by another connection, to end such a statement, and lets whatever comes
    next on this one (the ROLLBACK, in a transaction) wait for the answer, without an end: as long
    as the kernel believes in the other side. So a unit of work without an answer would outlive its
    deadline by minutes, and every later one wait for its connection.

    Attributes:
        unanswered_s: when (by the loop's clock) such a question of any of this kind (`kind`) got no
            answer.
        pids: of the server's processes behind those of this kind.
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
    """Connections of a store of its own."""
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
    """Prepare one of a pool, and know its notifications as our own."""
    pids, pid = type(connection).pids, connection.get_server_pid()
    pids.add(pid)
    connection.add_termination_listener(lambda _: pids.discard(pid))
    await prepare(connection)


async def _leave(connection: Any) -> None:
    """Nothing to reset: no unit of work leaves settings, locks or a LISTEN in its session (an open
    transaction asyncpg has rolled back by now). A round trip less for each of them."""


async def open_pool(url: str, size: int, of: type[Connection], **settings: str) -> Any:
    """A pool that connects when first used, so that the service can start before its database.

    Without timers for statements and idle connections: deadlines are those of `pool`.
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
    """Close them side by side; after a second without those connections that are not closed yet.
    False where there was one, or one that had just been left because nobody answered."""
    began_s = asyncio.get_running_loop().time()
    closing = [asyncio.ensure_future(pool.close()) for pool in pools]
    _, late = await asyncio.wait(closing, timeout=CLOSE_TIMEOUT_S)
    for pool in pools:
        pool.terminate()  # nothing, where it is closed
    # What failed was not closed in order, either, and says no more than that.
    ended = await asyncio.gather(*closing, return_exceptions=True)
    left = of.unanswered_s > began_s - CANCEL_WITHIN_S
    return not (late or left or any(isinstance(each, BaseException) for each in ended))


def meaning(error: Exception) -> Exception:
    """Our error for one of asyncpg's: away, refused for its content, or as it is."""
    # asyncpg wraps what a codec says of an argument in DataError, which is also an InterfaceError.
    if is_content(error):
        return Unstorable(in_words(error))
    if isinstance(error, _GRANTED) or (isinstance(error, _AWAY) and not isinstance(error, _OURS)):
        return Unavailable(in_words(error))
    return error

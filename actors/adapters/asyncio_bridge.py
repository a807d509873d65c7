"""One asyncio loop for each adapter, inside Trio, which contains its failures.

    async with open_bridge("postgres") as bridge:
        rows = await bridge.run(fetch, ...)      # asyncio-flavored function, awaited from Trio

An asyncio exception that nobody retrieves ends everything inside its loop. So each adapter has a
loop of its own, and the loop's handler logs instead of raising.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ParamSpec, TypeVar

import structlog
import trio
import trio_asyncio

from protocol.errors import in_words

P = ParamSpec("P")
T = TypeVar("T")

# Callbacks that run in a row before other tasks run: some 50 µs each.
TURN_MAX = 4

log = structlog.get_logger("roost.bridge")


class Bridge:
    """Enters one asyncio loop. Each call costs some 100 µs: use one per unit of work."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    async def run(
        self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Await an asyncio-flavored function from a Trio task of any nursery."""
        answer: T = await self._loop.run_aio_coroutine(work(*args, **kwargs))
        return answer


@asynccontextmanager
async def open_bridge(name: str) -> AsyncIterator[Bridge]:
    async with trio_asyncio.open_loop() as loop:
        loop.set_exception_handler(_logged(name))
        with _quickened(loop):
            yield Bridge(loop)


@contextmanager
def _quickened(loop: Any) -> Iterator[None]:
    """Replace three things that trio-asyncio 0.16 does for every callback, because they cost more
    than most callbacks.

    It checks whether the callback is callable (asyncio does so in debug mode only). It goes through
    Trio's scheduler between two callbacks that are ready (here several run in a row, as in
    asyncio). After a socket was read it waits until everything that this caused is done, which
    transports do not need. They are replaced on the instance, and put back before the loop ends,
    because its end relies on the last one (guarded by
    `tests/contract/guards/test_trio_asyncio.py`).
    """
    one = loop._main_loop_one

    async def some() -> None:
        try:
            for _ in range(TURN_MAX):
                await one(no_wait=True)
        except trio.WouldBlock:
            await one()
        else:
            await trio.lowlevel.checkpoint()

    places = {
        "_main_loop_one": some,
        "_check_callback": _trust,
        "synchronize": trio.lowlevel.checkpoint,
    }
    for name, ours in places.items():
        assert hasattr(loop, name), f"trio-asyncio has no {name} any more"
        setattr(loop, name, ours)
    try:
        yield
    finally:
        for name in places:
            delattr(loop, name)


def _trust(callback: object, method: str) -> None:
    """In place of the check of a callback: those of Roost, asyncpg and gmqtt are tested."""


def _logged(name: str) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        told = None if error is None else in_words(error)
        log.error("asyncio failure", adapter=name, what=context.get("message"), error=told)

    return handle

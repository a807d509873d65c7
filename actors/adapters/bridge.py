"""One asyncio loop for each adapter, inside Trio, with its failures kept in.

    async with open_bridge("postgres") as bridge:
        rows = await bridge.run(fetch, ...)      # asyncio-flavored function, awaited from Trio

An asyncio exception that nobody retrieves ends everything inside its loop; so each adapter has a
loop of its own, and the loop's handler logs instead of raising.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

import structlog
import trio_asyncio

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger("roost.bridge")


class Bridge:
    """Crossings into one asyncio loop. Each costs some 100 µs: cross once per unit of work."""

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
        yield Bridge(loop)


def _logged(name: str) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        log.error("asyncio failure", adapter=name, what=context.get("message"), error=repr(error))

    return handle

"""How the service runs and ends, in order. The simulation's processes run through the same code.

At the end:

1. nothing new is taken from the broker, and no due work is claimed;
2. what was taken is committed, and the broker has processed the acknowledgements; claimed commands
and deliveries to webhooks are sent and noted (`Service.drain`);
3. sockets are closed with 1001, and the web server ends; then the writes of people are awaited,
too;
4. the sessions at the broker end, then the tasks of the service, then (outside) the servers.

After a failure the order is the same from the third step on; `open_service` drains before its tasks
end.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Generic, TypeVar

import trio

from actors.service import Service

F = TypeVar("F")
T = TypeVar("T")

CONNECTIONS = "the connections to the database"  # the name of a part
# A context for a part of the end, by its name.
Part = Callable[[str], AbstractContextManager[Any]]


class Closing(Generic[T]):
    """`async with Closing(open_store(url), "the connections to the database", part) as store`: the
    same context manager, whose exit is a named part of the end."""

    def __init__(self, opened: AbstractAsyncContextManager[T], name: str, part: Part) -> None:
        self._opened = opened
        self._name = name
        self._part = part

    async def __aenter__(self) -> T:
        return await self._opened.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        with self._part(self._name):
            return await self._opened.__aexit__(kind, error, trace)  # noqa: ASYNC102 (its matter)


async def run_until_stopped(
    service_opened: AbstractAsyncContextManager[Service],
    open_front: Callable[[Service], AbstractAsyncContextManager[F]],
    start_beside: Callable[[trio.Nursery, Service, F], None],
    stop: trio.Event,
    ending: Callable[[], AbstractContextManager[None]] = nullcontext,
    part: Part = nullcontext,
) -> None:
    """Run the service until `stop` is set, and end it in order.

    Args:
        open_front: the part of it that people connect to; its end closes their connections.
        start_beside: starts what runs beside the service; it is cancelled at the end.
        ending: a context that is left when the end begins, with an exception if a failure is the
        cause.
        part: entered with the name of each part of the end while it runs.
    """
    tasks = "the tasks of the service and its sessions at the broker"
    async with (
        Closing(service_opened, tasks, part) as service,
        Closing(open_front(service), "the web server", part) as front,
        trio.open_nursery() as beside,
    ):
        with ending():
            start_beside(beside, service, front)
            await stop.wait()
        # Before the web server ends, which a client that does not read may delay.
        with part("the commit of what was taken"):
            await service.drain()
        beside.cancel_scope.cancel()

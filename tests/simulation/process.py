"""One life of the service in a simulated world: service and web on lines that can be cut."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import trio
from quart_trio import QuartTrio

from actors.adapters.memory.broker.port import MemoryBrokerPort
from actors.adapters.memory.broker.retained import MemoryRetained
from actors.adapters.memory.clocks import PlainHasher
from actors.adapters.memory.store.line import Killed, StoreLine
from actors.adapters.memory.store.webhooks import MemoryReceivers
from actors.adapters.mqtt.no_logins import NoLogins
from actors.due.tidying import keep_tidy
from actors.ingest.bounds import IngestBounds
from actors.media.signed_urls import MediaLinks
from actors.ports import Ports
from actors.service import Service, open_service
from roost.deadline import END_WITHIN_S
from roost.shutdown import run_until_stopped
from tests.simulation.broken import Broken
from web.app import create_app
from web.http.context import WebSettings
from web.http.sockets import Sockets

if TYPE_CHECKING:
    from tests.simulation.world import World

CLOSE_WITHIN_S = 2.0
# There is no other process whose work could be waiting: a long calm costs nothing.
LOOK_AGAIN_S = 3600.0
LOOK_AT_OTHERS_S = 60.0  # where there are


class Gone(Exception):
    """The process died while it was asked."""


class Process:
    """From start to end. What a killed one still does reaches nobody: its lines are cut."""

    def __init__(self, world: "World", number: int, changed: Callable[[], None]) -> None:
        self.number = number
        self.is_dead = False
        self.service: Service
        self.app: QuartTrio
        self.serving = trio.Event()
        self.ended = trio.Event()
        self._world = world
        self._changed = changed  # told when it serves, and when it ended
        self._troubled_until_s = float("-inf")
        self._line = StoreLine(world.store, world.store_faults)
        self._port = MemoryBrokerPort(world.broker)
        self._port.on_delivery = world.on_delivery
        self._port.on_publish = world.on_publish
        # A broker of somebody else's gives us no power over its clients.
        is_ours = world.broker.habits.partitions > 0
        power = world.doors.logins(world.broker, lambda: self._port.is_cut_off)
        self.logins = power if is_ours else NoLogins()
        self._sockets = Sockets()
        self._stopping = trio.Event()
        self._scope = trio.CancelScope()
        self._clients: dict[int, trio.CancelScope] = {}

    async def run(self) -> None:
        """Open the service, serve until stopped or killed."""
        world = self._world
        ports = Ports(
            store=self._line,
            broker=self._port,
            clock=world.clock,
            ids=world.ids,
            logins=self.logins,
            links=MediaLinks("s" * 32, lambda: "http://roost.example"),
            files=world.files,
            machine=world.machine,
            receivers=MemoryReceivers(world.receivers.answer),
            mailer=world.mailbox,
            retained=MemoryRetained(world.broker, self._port),
            rng=random.Random(world.seed + 2 + self.number),
        )
        world.trace.note("process", f"{self.number} starts")
        try:
            with self._scope:
                service = open_service(
                    ports,
                    on_step=self._on_step,
                    idle_s=world.idle_s,
                    look_again_s=world.look_again_s,
                    pulse=world.pulse,
                    bounds=IngestBounds(rates=world.rates),
                )
                await run_until_stopped(service, self._open_front, self._started, self._stopping)
        except* Killed:
            assert self.is_dead
        except* Exception as errors:
            raise Broken("I6", f"the process ended: {errors.exceptions[0]!r}") from errors
        finally:
            self.is_dead = True
            self.ended.set()
            for scope in self._clients.values():
                scope.cancel()
            world.trace.note("process", f"{self.number} ended")
            self._changed()

    @asynccontextmanager
    async def _open_front(self, service: Service) -> AsyncIterator[None]:
        """The web of this process; its clients are other tasks of the world (`client`)."""
        self.service = service
        # Everybody in this world comes from one address.
        settings = WebSettings(
            jwt_secret="s" * 32,
            requests_per_s_of_address=1e6,
            bounds=self._world.bounds,
            public_url=None if self._world.mailbox is None else "https://roost.example",
        )
        self.app = create_app(service, PlainHasher(), settings, self._sockets)
        try:
            yield
        finally:
            if not self.is_dead:
                with trio.CancelScope(shield=True):  # bounded by CLOSE_WITHIN_S
                    await self._sockets.close_all(CLOSE_WITHIN_S)

    def _started(self, beside: trio.Nursery, service: Service, front: None) -> None:
        keep_tidy(
            service.supervisor, service.store, service.clock, service.media, service.refusals.limits
        )
        self.serving.set()
        self._changed()

    def _on_step(self, name: str, message: Any) -> None:
        self._world.on_step(self.service, name, message)

    def written(self) -> tuple[int, int]:
        """Readings and refusals that it brought into the store."""
        return self._line.written()

    async def stop(self) -> None:
        """SIGTERM: drain, then end, in time or at once."""
        self._stopping.set()
        with trio.move_on_after(END_WITHIN_S):
            await self.ended.wait()
            return
        self._world.trace.note("process", f"{self.number} did not end in time")
        self.kill()
        await self.ended.wait()

    @property
    def is_troubled(self) -> bool:
        """Whether it stands still, or is cut off from a server."""
        return trio.current_time() < self._troubled_until_s

    def _trouble(self, seconds: float) -> None:
        self._troubled_until_s = max(self._troubled_until_s, trio.current_time() + seconds)

    def hang(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT so many seconds later: the world hears nothing of it, nor it of the
        world. What waits for neither goes on; a process that stands still does less."""
        self._trouble(seconds)
        self._line.hang(seconds)
        self._port.hang(seconds)

    def part_from_store(self, seconds: float) -> None:
        """It alone cannot reach the database."""
        self._trouble(seconds)
        self._line.part(seconds)

    def part_from_broker(self, seconds: float) -> None:
        """It alone cannot reach the broker."""
        self._trouble(seconds)
        self._port.part(seconds)

    def kill(self) -> None:
        """`kill -9`: nothing that it does from here on reaches anybody."""
        if self.is_dead:
            return
        self.is_dead = True
        self._line.cut()
        self._port.cut()
        if hasattr(self, "service"):
            self.service.draining.by_s = float("-inf")  # it drains nothing
        self._scope.cancel()
        for scope in self._clients.values():
            scope.cancel()

    @contextmanager
    def client(self) -> Iterator[None]:
        """What a client does with this process ends with it. Raises `Gone` then."""
        if self.is_dead:
            raise Gone
        scope = trio.CancelScope()
        self._clients[id(scope)] = scope
        try:
            with scope:
                yield
        except BaseExceptionGroup as errors:
            rest = errors.split(Killed)[1]
            if rest is not None:
                raise rest from None
        except Killed:
            assert self.is_dead
        finally:
            del self._clients[id(scope)]
        if self.is_dead:
            raise Gone

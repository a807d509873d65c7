"""The Broker port in memory: one process's side of the broker's twin.

broker = MemoryBroker(partition_plans(4), NATS)
Ports(broker=MemoryBrokerPort(broker), …)
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio

from actors.adapters.memory.broker.broker import MemoryBroker
from actors.adapters.memory.broker.line import Line
from actors.adapters.memory.broker.session import Session
from actors.adapters.mqtt.sending import Fate, Sender
from actors.ports.broker import Delivery, Inbox, Publication
from actors.runtime.reply import Reply
from protocol.device.publishing import fault_of
from protocol.errors import Unavailable, Unpublishable

RECONNECT_S = 1.0
OUT = "roost-out"


class MemoryBrokerPort:
    """See `actors.ports.broker.Broker`: the side of one process, which counts its own connections.

    Attributes:
        on_delivery: called with each delivery before it is handed over.
        on_publish: called with each QoS 1 publication as it begins.
    """

    def __init__(self, server: MemoryBroker) -> None:
        self.on_delivery: Callable[[Delivery], None] = lambda delivery: None
        self.on_publish: Callable[[str, bytes], None] = lambda topic, payload: None
        self.sessions = server.plans
        self._server = server
        self._lines: dict[str, tuple[int, Line]] = {}
        self._subscribed = {plan.client_id: trio.Event() for plan in server.plans}
        self._sender = Sender(self._publish)
        self._is_cut = False
        self._parted_until_s = float("-inf")

    @asynccontextmanager
    async def open(
        self, inbox: Inbox, prepare: Callable[[str], Awaitable[None]]
    ) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            for session in self._server.sessions.values():
                nursery.start_soon(self._keep, session, inbox, prepare)
            try:
                yield
            finally:
                nursery.cancel_scope.cancel()

    async def _keep(
        self, session: Session, inbox: Inbox, prepare: Callable[[str], Awaitable[None]]
    ) -> None:
        number = 0
        while True:
            try:
                await prepare(session.plan.client_id)
                if self._server.away or self._is_parted:
                    raise Unavailable("the memory broker is away")
            except Unavailable:
                await trio.sleep(RECONNECT_S)
                continue
            number += 1
            await self._connected(session, inbox, number)
            await trio.sleep(RECONNECT_S)

    async def _connected(self, session: Session, inbox: Inbox, number: int) -> None:
        name = session.plan.client_id
        line = Line(self._server.latency)
        self._lines[name] = number, line
        self._server.lines[line] = None
        inbox.connected(name, number)
        try:

            def hand(delivery: Delivery) -> None:
                self.on_delivery(delivery)
                inbox.deliver(delivery)

            if line.is_open:  # the service may not want it any more
                session.connect(line, number, hand, partial(inbox.heard, name, number))
                self._server.subscribe(session)
                self._subscribed[name].set()
            await line.carry(session.next_s, session.send_again)
        finally:
            self._lines.pop(name, None)
            del self._server.lines[line]
            self._end(session, line)
            if not self._is_cut:
                inbox.disconnected(name, number)

    def _end(self, session: Session, line: Line) -> None:
        line.cut(self._server.rng.randint(0, line.on_the_way))
        if session.line is line:
            session.disconnect()

    async def wait_subscribed(self) -> None:
        for event in self._subscribed.values():
            await event.wait()

    def acknowledge(self, session: str, connection: int, packet_ids: Sequence[int]) -> None:
        number, line = self._lines.get(session, (0, None))
        # On another connection the same packet id may be another message.
        if line is not None and number == connection:
            mine = self._server.sessions[session]
            line.up(partial(mine.acknowledged, line, list(packet_ids)))

    def renew(self, session: str, connection: int) -> None:
        number, line = self._lines.get(session, (0, None))
        if line is not None and number == connection:
            self._end(self._server.sessions[session], line)

    def publish_nowait(self, topic: str, payload: bytes) -> bool:
        if not self.reaches:
            return False
        if fault_of(topic, payload) is not None:
            return False
        self._server.take(topic, payload, retain=False)
        return True

    @property
    def reaches(self) -> bool:
        """Whether the process can query the server, or send to it."""
        return not (self._server.away or self._is_cut or self._is_parted)

    async def publish(self, messages: Sequence[Publication]) -> Sequence[bool | Unpublishable]:
        return await self._sender.publish(messages)

    async def _publish(self, messages: Sequence[Publication]) -> list[Fate]:
        good = [False] * len(messages)
        _, line = self._lines.get(OUT, (0, None))
        if line is None or not line.is_open or self._is_cut:
            await trio.lowlevel.checkpoint()
            return [Fate.UNKNOWN] * len(messages)
        done = Reply[None]()
        lost = partial(done.settle, None)
        line.when_cut(lost)
        for n, each in enumerate(messages):
            self.on_publish(each.topic, each.payload)
            line.up(partial(self._arrived, line, each, partial(_taken, good, n, done)))
        await done.wait(float("inf"))
        if line.is_open:
            line.forget(lost)
        return [Fate.TAKEN if is_good else Fate.ENDED for is_good in good]

    def _arrived(self, line: Line, message: Publication, taken: Callable[[], None]) -> None:
        if ends_connection(message):
            self._end(self._server.sessions[OUT], line)
            return
        self._server.take(message.topic, message.payload, retain=message.retain)
        line.down(taken)

    def hang(self, seconds: float) -> None:
        """The process is stopped (SIGSTOP): its connections stay, and nothing moves on them."""
        for _, line in self._lines.values():
            line.stall(seconds)

    @property
    def is_cut_off(self) -> bool:
        """Whether this process cannot reach the broker."""
        return self._is_cut or self._is_parted

    @property
    def _is_parted(self) -> bool:
        return self._parted_until_s > trio.current_time()

    def part(self, seconds: float) -> None:
        """Cut the process off from the broker, which others still reach."""
        self._parted_until_s = trio.current_time() + seconds
        for name, (_, line) in list(self._lines.items()):
            self._end(self._server.sessions[name], line)

    def cut(self) -> None:
        """The process is killed: its connections end, and nothing reaches it any more."""
        self._is_cut = True
        for name, (_, line) in self._lines.items():
            self._end(self._server.sessions[name], line)
        self._lines.clear()


def _taken(good: list[bool], n: int, done: Reply[None]) -> None:
    """A PUBACK arrived."""
    good[n] = True
    if all(good):
        done.settle(None)


def ends_connection(message: Publication) -> bool:
    """Whether every broker ends the connection on which this arrives (MQTT 3.1.1 §3.3.2.1)."""
    return not message.topic or any(each in message.topic for each in "#+\0")

"""The Broker port in memory: the twin of an MQTT broker with persistent sessions.

Devices publish into it (`publish_from_device`); its faults are set from outside: `drop(session)`
ends a connection, `restart` forgets packet ids and DUP as NATS does after a kill.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec
import trio

from actors.ports import Delivery, Inbox, SessionPlan
from protocol.errors import Unavailable
from protocol.topics import parse_topic, partition

WINDOW = 10_000
RECONNECT_S = 1.0
CONFIRM_S = 0.02


class _Message(msgspec.Struct):
    topic: str
    payload: bytes
    qos: int
    retain: bool
    packet_id: int = 0
    delivered: bool = False


class _Session:
    """What the broker keeps of a session: its queue, its window, and its connection."""

    def __init__(self, plan: SessionPlan) -> None:
        self.plan = plan
        self.connection = 0
        self.connected = False
        self.queue: deque[_Message] = deque()
        self.window: dict[int, _Message] = {}
        self.next_id = 0
        self.acks = 0
        self.lost = trio.Event()
        self.subscribed = trio.Event()


class MemoryBroker:
    """See `actors.ports.Broker`. Redelivers at once and in order, as Mosquitto does.

    Attributes:
        away: connections are refused.
        sent: what the house published: (topic, payload).
    """

    def __init__(self, plans: Sequence[SessionPlan], partitions: int = 0) -> None:
        self.sessions = tuple(plans)
        self.away = False
        self.sent: list[tuple[str, bytes]] = []
        self._partitions = partitions
        self._sessions = {plan.client_id: _Session(plan) for plan in plans}
        self._retained: dict[str, _Message] = {}
        self._inbox: Inbox | None = None
        self._nursery: trio.Nursery | None = None

    # The house's side

    @asynccontextmanager
    async def open(
        self, inbox: Inbox, prepare: Callable[[str], Awaitable[None]]
    ) -> AsyncIterator[None]:
        self._inbox = inbox
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for session in self._sessions.values():
                nursery.start_soon(self._keep, session, inbox, prepare)
            try:
                yield
            finally:
                for session in self._sessions.values():
                    session.connected = False
                self._nursery = None
                nursery.cancel_scope.cancel()
        self._inbox = None

    async def _keep(
        self, session: _Session, inbox: Inbox, prepare: Callable[[str], Awaitable[None]]
    ) -> None:
        while True:
            try:
                await prepare(session.plan.client_id)
                if self.away:
                    raise Unavailable("the memory broker is away")
            except Unavailable:
                await trio.sleep(RECONNECT_S)
                continue
            session.lost = trio.Event()
            session.connection += 1
            session.acks = 0
            inbox.connected(session.plan.client_id, session.connection)
            session.connected = True
            session.subscribed.set()
            self._redeliver(session)
            await session.lost.wait()
            inbox.disconnected(session.plan.client_id, session.connection)
            await trio.sleep(RECONNECT_S)

    async def wait_subscribed(self) -> None:
        for session in self._sessions.values():
            await session.subscribed.wait()

    def acknowledge(self, session: str, connection: int, packet_ids: Sequence[int]) -> None:
        mine = self._sessions[session]
        if not mine.connected or mine.connection != connection:
            return
        for packet_id in packet_ids:
            mine.window.pop(packet_id, None)
        mine.acks += len(packet_ids)
        self._flow(mine)
        if self._nursery is not None:
            self._nursery.start_soon(self._confirm, mine, connection, mine.acks)

    async def _confirm(self, session: _Session, connection: int, acks: int) -> None:
        """That they were processed is told later, as by the answer to a ping behind them."""
        await trio.sleep(CONFIRM_S)
        if self._inbox is not None and session.connected and session.connection == connection:
            self._inbox.heard(session.plan.client_id, connection, acks)

    def publish_nowait(self, topic: str, payload: bytes) -> bool:
        if self.away:
            return False
        self.sent.append((topic, payload))
        return True

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        await trio.lowlevel.checkpoint()
        if not self.publish_nowait(topic, payload):
            raise Unavailable("the memory broker is away")

    # The devices' side

    def publish_from_device(
        self, topic: str, payload: bytes, qos: int = 1, retain: bool = False
    ) -> None:
        """A device publishes; when this returns the broker has acknowledged it."""
        if retain:
            self._retained[topic] = _Message(topic, payload, qos, True)
        mapped = self._mapped(topic)
        for session in self._sessions.values():
            if any(matches(each, mapped) for each in session.plan.filters):
                if qos == 0 and not session.connected:
                    continue
                session.queue.append(_Message(mapped, payload, qos, False))
                self._flow(session)

    def _mapped(self, topic: str) -> str:
        if not self._partitions:
            return topic
        parsed = parse_topic(topic)
        kind = "state" if parsed.is_urgent else "part"
        return f"{kind}/{partition(*parsed.device, self._partitions)}/{topic}"

    def unacknowledged(self, session: str) -> int:
        mine = self._sessions[session]
        return len(mine.window) + len(mine.queue)

    # Faults

    def drop(self, session: str) -> None:
        """End the connection of a session; it comes back by itself."""
        self._sessions[session].connected = False
        self._sessions[session].lost.set()

    def restart(self) -> None:
        """The broker was killed and is back: new packet ids, no DUP, nothing acknowledged lost."""
        for name, session in self._sessions.items():
            waiting = [*session.window.values(), *session.queue]
            session.window.clear()
            session.queue = deque(
                _Message(each.topic, each.payload, each.qos, each.retain) for each in waiting
            )
            session.next_id = 0
            self.drop(name)

    def cut(self) -> None:
        """The house's process is killed: every connection ends, and it hears of none."""
        self._inbox = None
        for session in self._sessions.values():
            session.connected = False

    def _redeliver(self, session: _Session) -> None:
        for message in list(session.window.values()):
            self._send(session, message)
        for message in self._retained.values():
            if any(matches(each, message.topic) for each in session.plan.filters):
                copy = _Message(message.topic, message.payload, message.qos, True)
                session.queue.append(copy)
        self._flow(session)

    def _flow(self, session: _Session) -> None:
        while session.connected and session.queue and len(session.window) < WINDOW:
            message = session.queue.popleft()
            if message.qos:
                session.next_id = session.next_id % 65_535 + 1
                message.packet_id = session.next_id
                session.window[message.packet_id] = message
            self._send(session, message)

    def _send(self, session: _Session, message: _Message) -> None:
        dup, message.delivered = message.delivered, True
        if self._inbox is not None:
            self._inbox.deliver(
                Delivery(
                    session.plan.client_id,
                    session.connection,
                    message.packet_id,
                    dup,
                    message.retain,
                    message.topic,
                    message.payload,
                )
            )


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic filter with `+` and `#` matches a topic (MQTT 3.1.1 §4.7)."""
    wanted, got = pattern.split("/"), topic.split("/")
    for n, level in enumerate(wanted):
        if level == "#":
            return True
        if n >= len(got) or level not in ("+", got[n]):
            return False
    return len(wanted) == len(got)

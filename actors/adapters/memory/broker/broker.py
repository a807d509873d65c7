"""The Broker port in memory: the twin of NATS and Mosquitto, as their `Habits` say.

    broker = MemoryBroker(partition_plans(4), NATS)
    Ports(broker=broker.port(), …)                     # what one process has of it
    broker.publish_from_device(topic, payload)         # as a device does

The broker outlives the processes that use it. Its faults are set from outside: `away`, `latency`,
`drop`, `stall`, `restart`, `lose`.
"""

import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial

import msgspec
import trio

from actors.adapters.memory.broker.line import Line, no_latency
from actors.adapters.memory.broker.logins import Clients
from actors.adapters.memory.broker.session import MOSQUITTO_5, Habits, Published, Session
from actors.adapters.mqtt.sending import Fate, Sender
from actors.ports.broker import Delivery, Inbox, Publication, SessionPlan
from actors.runtime.reply import Reply
from protocol.device.publishing import fault_of
from protocol.device.topics import partition
from protocol.errors import Unavailable, Unpublishable

RECONNECT_S = 1.0
OUT = "roost-out"
SENT_MAX = 10_000
# The subject mapping of the embedded broker (`roost.embedded.broker`).
MAPPED = (
    ("users/+/devices/+/feeds", "part"),
    ("users/+/devices/+/feeds/+", "part"),
    ("users/+/devices/+/status", "state"),
    ("users/+/devices/+/commands/+/ack", "state"),
)


class MemoryBroker:
    """The server.

    Args:
        rng: decides how much of what is on its way survives a cut.

    Attributes:
        away: connections and publications are refused.
        latency: seconds that a thing takes on a line from now on.
        sent: what the service published: (topic, payload); the newest 10,000.
        kept: what it retained, by topic.
        clients: who else is connected, and the sessions that are kept of them.
        on_sent: told of each of these; the devices' ear.
    """

    def __init__(
        self,
        plans: Sequence[SessionPlan],
        habits: Habits = MOSQUITTO_5,
        rng: random.Random | None = None,
    ) -> None:
        self.plans = tuple(plans)
        self.habits = habits
        self.away = False
        self.latency: Callable[[], float] = no_latency
        self.sent: list[tuple[str, bytes]] = []
        self.kept: dict[str, bytes] = {}
        self.on_sent: Callable[[str, bytes], None] = lambda topic, payload: None
        self.rng = rng or random.Random(0)
        self.clients = Clients()
        self.sessions = {plan.client_id: Session(plan, habits, self.rng) for plan in plans}
        self.lines: dict[Line, None] = {}  # of all processes
        self.retained: dict[str, Published] = {}  # of devices, by the topic that brings it
        self.retained_max: int | None = None  # larger ones are not kept
        self._numbers = itertools.count(1)
        self._devices: dict[str, tuple[str, bytes] | None] = {}

    def port(self) -> "MemoryBrokerPort":
        """What one process has of this broker."""
        return MemoryBrokerPort(self)

    # The devices' side

    def connect_device(self, name: str, will: tuple[str, bytes] | None = None) -> None:
        """A device connects, perhaps with a will (topic, payload). Raises `Unavailable`."""
        if self.away:
            raise Unavailable("the memory broker is away")
        self._devices[name] = will

    def disconnect_device(self, name: str) -> None:
        """It says good-bye: no will."""
        self._devices.pop(name, None)

    def vanish_device(self, name: str) -> Published | None:
        """Its line is cut: the broker publishes its will at QoS 1."""
        will = self._devices.pop(name, None)
        return None if will is None else self._publish(*will, 1, False, is_mapped=False)

    def publish_from_device(
        self,
        topic: str,
        payload: bytes,
        qos: int = 1,
        retain: bool = False,
        *,
        is_hasty: bool = False,
    ) -> Published:
        """A device publishes; when this returns the broker has acknowledged it. `is_hasty`: in one
        write with its CONNECT; NATS maps no such message.

        Raises:
            Unavailable: the broker is away.
        """
        return self._publish(topic, payload, qos, retain, is_mapped=not is_hasty)

    def _publish(
        self, topic: str, payload: bytes, qos: int, retain: bool, *, is_mapped: bool
    ) -> Published:
        if self.away:
            raise Unavailable("the memory broker is away")
        published = Published(
            topic=topic, payload=payload, qos=qos, retain=retain, at_s=trio.current_time()
        )
        mapped = self._mapped(topic) if is_mapped else topic
        if retain:
            self._retain(mapped, published)
        takers = [s for s in self.sessions.values() if _subscribes(s.plan, mapped)]
        for session in takers:
            session.take(published, mapped)
        # A topic that nobody takes from is no device's; what a device may send is ours to hear.
        if not takers and not any(matches(pattern, topic) for pattern, _ in MAPPED):
            published.lost = True
        return published

    def _retain(self, mapped: str, published: Published) -> None:
        if not published.payload:
            self.retained.pop(mapped, None)
        elif self.retained_max is None or len(published.payload) <= self.retained_max:
            published.no = next(self._numbers)
            self.retained[mapped] = published

    def clear(self, topic: str) -> None:
        """The service clears what a device has retained; connected sessions of ours hear it."""
        published = Published(
            topic=topic, payload=b"", qos=0, retain=True, at_s=trio.current_time()
        )
        self._retain(topic, published)
        for session in self.sessions.values():
            if session.line is not None and _subscribes(session.plan, topic):
                session.take(published, topic)

    def _mapped(self, topic: str) -> str:
        """Where the broker takes what a device sends; other topics stay where they are."""
        if not self.habits.partitions:
            return topic
        kinds = [kind for pattern, kind in MAPPED if matches(pattern, topic)]
        if not kinds:
            return topic
        _, user_id, _, code, *_ = topic.split("/")
        return f"{kinds[0]}/{partition(user_id, code, self.habits.partitions)}/{topic}"

    def take(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """What the service publishes; devices that listen hear it, and sessions of ours, too."""
        if retain:
            self.kept[topic] = payload
            if not payload:
                del self.kept[topic]
        self.sent.append((topic, payload))
        del self.sent[:-SENT_MAX]
        self.on_sent(topic, payload)
        mapped = self._mapped(topic)
        published = Published(
            topic=topic, payload=payload, qos=1, retain=retain, at_s=trio.current_time()
        )
        for session in self.sessions.values():
            if _subscribes(session.plan, mapped):
                session.take(published, mapped)

    # Our sessions

    def subscribe(self, session: Session) -> None:
        """A SUBSCRIBE brings the retained messages again."""
        for topic, published in list(self.retained.items()):
            if _subscribes(session.plan, topic):
                session.take(msgspec.structs.replace(published), topic, retained=published)

    def unacknowledged(self, session: str) -> int:
        return self.sessions[session].waiting

    @property
    def waiting(self) -> int:
        """Messages for us that are not acknowledged, in all sessions."""
        return sum(session.waiting for session in self.sessions.values())

    # Faults

    def drop(self, session: str) -> bool:
        """Cut the connection of a session; it comes back by itself. False: there was none."""
        mine = self.sessions[session]
        if mine.line is None:
            return False
        mine.line.cut(self.rng.randint(0, mine.line.on_the_way))
        mine.disconnect()
        return True

    def drop_all(self) -> None:
        """As `drop`, for all sessions; what processes send goes by one of each of them."""
        for name in self.sessions:
            self.drop(name)
        for line in list(self.lines):
            line.cut(self.rng.randint(0, line.on_the_way))

    def stall(self, session: str, seconds: float) -> bool:
        """Nothing moves on the session's line for a while. False: there is none."""
        line = self.sessions[session].line
        if line is not None:
            line.stall(seconds)
        return line is not None

    def restart(self, *, killed: bool = True) -> None:
        """The broker ends, by `kill -9` or in order, and is back on its data.

        What the service retained is gone, as with a broker that had not written it down.
        One whose kill loses messages (`kill_loses`) comes back as it was saved just before: what
        it loses is between it and its disk.
        """
        if self.habits.stop_sends_wills and not killed and not self.away:
            for name in list(self._devices):
                self.vanish_device(name)
        self._devices.clear()
        self.clients.restarted(killed=killed)
        self.kept.clear()
        self.drop_all()
        for session in self.sessions.values():
            session.restarted(killed)

    def lose(self, session: str) -> None:
        """The broker forgets a session, with what waits in it."""
        self.drop(session)
        self.sessions[session].lose()


class MemoryBrokerPort:
    """See `actors.ports.broker.Broker`: the side of one process, which counts its own connections.

    Attributes:
        on_delivery: told of each delivery before it is handed over.
        on_publish: told of each publication at QoS 1 as it begins.
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

            if line.is_open:  # the service may not have wanted it any more
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
        """Whether the process can ask the server, or send to it."""
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
        """Whether this process reaches the broker no more."""
        return self._is_cut or self._is_parted

    @property
    def _is_parted(self) -> bool:
        return self._parted_until_s > trio.current_time()

    def part(self, seconds: float) -> None:
        """The process is cut off from the broker, which others reach."""
        self._parted_until_s = trio.current_time() + seconds
        for name, (_, line) in list(self._lines.items()):
            self._end(self._server.sessions[name], line)

    def cut(self) -> None:
        """The process is killed: its connections end, and it hears of nothing any more."""
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
    """Whether every broker ends the connection by which this comes (MQTT 3.1.1 §3.3.2.1)."""
    return not message.topic or any(each in message.topic for each in "#+\0")


def _subscribes(plan: SessionPlan, topic: str) -> bool:
    return any(matches(each, topic) for each in plan.filters)


@lru_cache(10_000)
def matches(pattern: str, topic: str) -> bool:
    """Whether a topic filter with `+` and `#` matches a topic (MQTT 3.1.1 §4.7)."""
    wanted, got = pattern.split("/"), topic.split("/")
    for n, level in enumerate(wanted):
        if level == "#":
            return True
        if n >= len(got) or level not in ("+", got[n]):
            return False
    return len(wanted) == len(got)

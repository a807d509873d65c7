"""The broker's twin in memory: NATS or Mosquitto, as its `Habits` say.

    broker = MemoryBroker(partition_plans(4), NATS)
    Ports(broker=MemoryBrokerPort(broker), …)          # one process's side of it
    broker.publish_from_device(topic, payload)         # as a device does

The broker outlives the processes that use it. Its faults are set from outside: `away`, `latency`,
`drop`, `stall`, `restart`, `lose`.
"""

import itertools
import random
from collections.abc import Callable, Sequence

import msgspec
import trio

from actors.adapters.memory.broker.clients import Clients
from actors.adapters.memory.broker.habits import MOSQUITTO_5, Habits
from actors.adapters.memory.broker.line import Line, no_latency
from actors.adapters.memory.broker.published import Published
from actors.adapters.memory.broker.session import Session
from actors.adapters.memory.broker.topics import is_devices, kind_of, mapped, subscribes
from actors.ports.broker import SessionPlan
from protocol.errors import Unavailable

SENT_MAX = 10_000


class MemoryBroker:
    """The server.

    Args:
        rng: decides how much of what is in flight survives a cut.

    Attributes:
        away: connections and publications are refused.
        latency: seconds that a message takes on a connection from now on.
        sent: what the service published: (topic, payload); the newest 10,000.
        kept: what the service has retained, by topic.
        clients: other clients that are connected, and their stored sessions.
        on_sent: called with each of these, for the devices.
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
        self.retained: dict[str, Published] = {}  # of devices, by topic of delivery
        self.retained_max: int | None = None  # larger ones are not kept
        self._numbers = itertools.count(1)
        self._devices: dict[str, tuple[str, bytes] | None] = {}

    # The side of devices

    def connect_device(self, name: str, will: tuple[str, bytes] | None = None) -> None:
        """A device connects, perhaps with a will (topic, payload). Raises `Unavailable`."""
        if self.away:
            raise Unavailable("the memory broker is away")
        self._devices[name] = will

    def disconnect_device(self, name: str) -> None:
        """It disconnects in order: no will is published."""
        self._devices.pop(name, None)

    def vanish_device(self, name: str) -> Published | None:
        """Its connection is cut: the broker publishes its will with QoS 1."""
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
        write with its CONNECT; NATS does not map such a message.

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
        place = mapped(topic, self.habits.partitions) if is_mapped else topic
        if retain:
            self._retain(place, published)
        takers = [s for s in self.sessions.values() if subscribes(s.plan, place)]
        for session in takers:
            session.take(_for(session, published), place)
        # Devices cannot publish to a topic that we do not subscribe to; all their topics reach our
        # sessions.
        if not takers and not is_devices(topic):
            published.lost = True
        return published

    def _retain(self, mapped: str, published: Published) -> None:
        if not published.payload:
            self.retained.pop(mapped, None)
        elif self.retained_max is None or len(published.payload) <= self.retained_max:
            published.no = next(self._numbers)
            self.retained[mapped] = published

    def clear(self, topic: str) -> None:
        """The service clears a device's retained message; connected sessions of ours receive it."""
        published = Published(
            topic=topic, payload=b"", qos=0, retain=True, at_s=trio.current_time()
        )
        self._retain(topic, published)
        for session in self.sessions.values():
            if session.line is not None and subscribes(session.plan, topic):
                session.take(published, topic)

    def take(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """The service publishes; devices that subscribe receive it, and sessions of ours, too."""
        if retain:
            self.kept[topic] = payload
            if not payload:
                del self.kept[topic]
        self.sent.append((topic, payload))
        del self.sent[:-SENT_MAX]
        self.on_sent(topic, payload)
        place = mapped(topic, self.habits.partitions)
        published = Published(
            topic=topic, payload=payload, qos=1, retain=retain, at_s=trio.current_time()
        )
        for session in self.sessions.values():
            if subscribes(session.plan, place):
                session.take(msgspec.structs.replace(published), place)

    # Our sessions

    def subscribe(self, session: Session) -> None:
        """A SUBSCRIBE delivers the retained messages again."""
        for topic, published in list(self.retained.items()):
            if subscribes(session.plan, topic):
                copy = msgspec.structs.replace(published)
                session.take(copy, topic, retained=_for(session, published))

    def unacknowledged(self, session: str) -> int:
        return self.sessions[session].waiting

    @property
    def waiting(self) -> int:
        """Messages for us that are not acknowledged, in all sessions."""
        return sum(session.waiting for session in self.sessions.values())

    # Faults

    def drop(self, session: str) -> bool:
        """Cut the connection of a session; it reconnects by itself. False: there was none."""
        mine = self.sessions[session]
        if mine.line is None:
            return False
        mine.line.cut(self.rng.randint(0, mine.line.on_the_way))
        mine.disconnect()
        return True

    def drop_all(self) -> None:
        """Like `drop`, for all sessions, including the ones that processes publish with."""
        for name in self.sessions:
            self.drop(name)
        for line in list(self.lines):
            line.cut(self.rng.randint(0, line.on_the_way))

    def stall(self, session: str, seconds: float) -> bool:
        """Nothing moves on the session's connection for a while. False: there is none."""
        line = self.sessions[session].line
        if line is not None:
            line.stall(seconds)
        return line is not None

    def restart(self, *, killed: bool = True) -> None:
        """The broker ends, by `kill -9` or in order, and starts again with its data.

        The service's retained messages are gone, as with a broker that had not saved them. A broker
        whose kill loses messages (`kill_loses`) comes back as it was saved just before, because no
        checker can demand what it lost.
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
        """The broker forgets a session, with its waiting messages."""
        self.drop(session)
        self.sessions[session].lose()


def _for(session: Session, published: Published) -> Published:
    """What becomes of a message that its session only passes by is nothing that became of it."""
    kinds = session.plan.kinds
    if kinds is None or kind_of(published.topic) in kinds:
        return published
    return msgspec.structs.replace(published)

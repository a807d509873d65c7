"""Rigs that put each broker under the same tests: a port, a recording inbox, a device's side."""

import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Literal, Protocol

import trio

from actors.adapters.memory.broker.broker import MemoryBroker
from actors.adapters.memory.broker.habits import Habits
from actors.adapters.memory.broker.port import MemoryBrokerPort
from actors.adapters.memory.broker.topics import kind_of
from actors.adapters.mqtt.broker import MqttBroker
from actors.adapters.mqtt.client import Address
from actors.adapters.mqtt.plans import partition_plans, plain_plans
from actors.ports.broker import Broker, Delivery, Inbox, SessionPlan
from roost.embedded.broker import EmbeddedBroker
from roost.embedded.broker_config import PARTITIONS
from tests.support import wire

WAIT_S = 15.0
Ending = Literal["stop", "kill"]
Cut = Callable[[], None]


class Recorder:
    """An inbox that keeps what it is told. What a session only passes by (`SessionPlan.kinds`) is
    acknowledged at once, and kept apart."""

    def __init__(self, broker: Broker | None = None) -> None:
        plans = () if broker is None else broker.sessions
        self._broker = broker
        self._kinds = {plan.client_id: plan.kinds for plan in plans}
        self.copies: list[Delivery] = []
        self.connections: list[tuple[str, int]] = []
        self.lost: list[tuple[str, int]] = []
        self.deliveries: list[Delivery] = []
        self.confirmed: list[tuple[str, int, int]] = []

    def connected(self, session: str, connection: int) -> None:
        self.connections.append((session, connection))

    def disconnected(self, session: str, connection: int) -> None:
        self.lost.append((session, connection))

    def deliver(self, delivery: Delivery) -> None:
        kinds = self._kinds.get(delivery.session)
        if self._broker is None or kinds is None or kind_of(delivery.topic) in kinds:
            self.deliveries.append(delivery)
            return
        self.copies.append(delivery)
        if delivery.packet_id:
            self._broker.acknowledge(delivery.session, delivery.connection, [delivery.packet_id])

    def heard(self, session: str, connection: int, acknowledged: int) -> None:
        self.confirmed.append((session, connection, acknowledged))

    async def until(self, probe: Callable[[], Any]) -> Any:
        with trio.fail_after(WAIT_S):
            while not (found := probe()):
                await trio.sleep(0.01)
        return found

    async def received(self, count: int) -> list[Delivery]:
        await self.until(lambda: len(self.deliveries) >= count)
        return self.deliveries


class World(Protocol):
    """What else happens to a broker: its devices, other logins, its own end. See `Rig`."""

    habits: Habits

    async def burst(self, messages: Sequence[tuple[str, bytes]]) -> None: ...
    def device(self, will: tuple[str, bytes]) -> AbstractAsyncContextManager[Cut]: ...
    async def lose(self, session: str) -> None: ...
    async def restart(self, how: Ending) -> None: ...


class Rig:
    """A broker that can be opened again and again, as a service that restarts.

    Attributes:
        world: None where nobody has said what the broker does.
    """

    def __init__(
        self,
        make: Callable[[], Broker],
        publish: Callable[[str, bytes, int, bool], Awaitable[None]],
        drop: Callable[[Broker, str], None],
        partitions: int,
        world: World | None = None,
    ) -> None:
        self._make = make
        self._publish = publish
        self._drop = drop
        self.partitions = partitions
        self.world = world
        self.broker: Any = None

    @asynccontextmanager
    async def open(self, once: bool = False) -> AsyncIterator[Recorder]:
        """The service runs. With `once` no session of it connects a second time."""
        self.broker = self._make()
        recorder = Recorder(self.broker)
        async with opened(self.broker, recorder, once):
            yield recorder

    async def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """As a device does; returns when the broker has acknowledged."""
        await self._publish(topic, payload, qos, retain)

    def drop(self, session: str) -> None:
        self._drop(self.broker, session)

    def acknowledge(self, *deliveries: Delivery) -> None:
        for delivery in deliveries:
            self.broker.acknowledge(delivery.session, delivery.connection, [delivery.packet_id])

    @property
    def _around(self) -> World:
        assert self.world is not None, "this rig does not say what its broker does"
        return self.world

    @property
    def habits(self) -> Habits:
        return self._around.habits

    async def burst(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """A device publishes many at QoS 1; returns when all are acknowledged."""
        await self._around.burst(messages)

    def device(self, will: tuple[str, bytes]) -> AbstractAsyncContextManager[Cut]:
        """A connected device; it says good-bye at the end of the block, unless its line is cut."""
        return self._around.device(will)

    async def lose(self, session: str) -> None:
        """Somebody connects under our name with a clean session, and leaves."""
        await self._around.lose(session)

    async def restart(self, how: Ending) -> None:
        """The broker is stopped in order, or killed, and starts again on the same data."""
        await self._around.restart(how)


@asynccontextmanager
async def opened(broker: Broker, inbox: Inbox, once: bool = False) -> AsyncIterator[None]:
    begun: set[str] = set()

    async def prepare(session: str) -> None:
        await trio.lowlevel.checkpoint()
        if once and session in begun:
            await trio.sleep_forever()
        begun.add(session)

    async with broker.open(inbox, prepare):
        with trio.fail_after(WAIT_S):
            await broker.wait_subscribed()
        yield


class MemoryWorld:
    """The twin as the `World` of a rig."""

    def __init__(self, habits: Habits) -> None:
        self.habits = habits
        plans = partition_plans(habits.partitions) if habits.partitions else plain_plans()
        self.broker = MemoryBroker(plans, habits)
        self._names = itertools.count()

    def rig(self) -> Rig:
        """One broker for all openings: the sessions it keeps are the point."""

        async def publish(topic: str, payload: bytes, qos: int, retain: bool) -> None:
            await trio.lowlevel.checkpoint()
            self.broker.publish_from_device(topic, payload, qos, retain)

        def drop(port: Broker, session: str) -> None:
            self.broker.drop(session)

        opened = partial(MemoryBrokerPort, self.broker)
        return Rig(opened, publish, drop, self.habits.partitions, self)

    async def burst(self, messages: Sequence[tuple[str, bytes]]) -> None:
        await trio.lowlevel.checkpoint()
        for topic, payload in messages:
            self.broker.publish_from_device(topic, payload)

    @asynccontextmanager
    async def device(self, will: tuple[str, bytes]) -> AsyncIterator[Cut]:
        name = f"device-{next(self._names)}"
        self.broker.connect_device(name, will)

        def cut() -> None:
            self.broker.vanish_device(name)

        await trio.lowlevel.checkpoint()
        yield cut
        self.broker.disconnect_device(name)

    async def lose(self, session: str) -> None:
        await trio.lowlevel.checkpoint()
        self.broker.lose(session)

    async def restart(self, how: Ending) -> None:
        await trio.lowlevel.checkpoint()
        self.broker.restart(killed=how == "kill")


def mqtt_rig(
    address: Address,
    plans: list[SessionPlan],
    version: str,
    partitions: int,
    world: World | None = None,
) -> Rig:
    def make() -> MqttBroker:
        return MqttBroker(address, plans, random.Random(1), version)

    def publish(topic: str, payload: bytes, qos: int, retain: bool) -> None:
        assert address.username is not None and address.password is not None
        name = f"device-{random.getrandbits(32):x}"
        login = (address.username, address.password)
        with wire.connect(address.host, address.port, name, *login) as line:
            wire.publish_once(line, topic, payload, qos, retain)

    def drop(broker: Any, session: str) -> None:
        broker._links[session]._client._connection._transport.abort()

    async def publish_in_thread(*message: Any) -> None:
        await trio.to_thread.run_sync(publish, *message)

    return Rig(make, publish_in_thread, drop, partitions, world)


def nats_rig(server: EmbeddedBroker) -> Rig:
    return mqtt_rig(server.address, partition_plans(PARTITIONS), "3.1.1", PARTITIONS)

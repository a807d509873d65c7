"""Rigs that put each broker under the same tests: a port, a recording inbox, a device's side."""

import random
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import trio

from actors.adapters.memory_broker import MemoryBroker
from actors.adapters.mqtt.broker import MqttBroker, partition_plans, plain_plans
from actors.adapters.mqtt.link import Address
from actors.ports import Broker, Delivery, Inbox, SessionPlan
from bench import wire
from roost.embedded.broker import PARTITIONS, EmbeddedBroker, free_port
from tests.conftest import needs

WAIT_S = 15.0
MOSQUITTO = """\
listener {port} 127.0.0.1
password_file {folder}/passwords
allow_anonymous false
max_queued_messages 0
max_inflight_messages 1000
persistence true
persistence_location {folder}/
autosave_interval 5
user root
"""


class Recorder:
    """An inbox that keeps what it is told."""

    def __init__(self) -> None:
        self.connections: list[tuple[str, int]] = []
        self.lost: list[tuple[str, int]] = []
        self.deliveries: list[Delivery] = []
        self.confirmed: list[tuple[str, int, int]] = []

    def connected(self, session: str, connection: int) -> None:
        self.connections.append((session, connection))

    def disconnected(self, session: str, connection: int) -> None:
        self.lost.append((session, connection))

    def deliver(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)

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


class Rig:
    """A broker that can be opened again and again, as a house that restarts."""

    def __init__(
        self,
        make: Callable[[], Broker],
        publish: Callable[[str, bytes, int, bool], None],
        drop: Callable[[Broker, str], None],
        partitions: int,
    ) -> None:
        self._make = make
        self._publish = publish
        self._drop = drop
        self.partitions = partitions
        self.broker: Any = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Recorder]:
        recorder = Recorder()
        self.broker = self._make()
        async with opened(self.broker, recorder):
            yield recorder

    async def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """As a device does; returns when the broker has acknowledged."""
        await trio.to_thread.run_sync(self._publish, topic, payload, qos, retain)

    def drop(self, session: str) -> None:
        self._drop(self.broker, session)

    def acknowledge(self, *deliveries: Delivery) -> None:
        for delivery in deliveries:
            self.broker.acknowledge(delivery.session, delivery.connection, [delivery.packet_id])


@asynccontextmanager
async def opened(broker: Broker, inbox: Inbox) -> AsyncIterator[None]:
    async def prepare(session: str) -> None:
        await trio.lowlevel.checkpoint()

    async with broker.open(inbox, prepare):
        with trio.fail_after(WAIT_S):
            await broker.wait_subscribed()
        yield


def memory_rig(partitions: int) -> Rig:
    """One broker for all openings: the sessions it keeps are the point."""
    plans: list[SessionPlan] = partition_plans(partitions) if partitions else plain_plans()
    broker = MemoryBroker(plans, partitions)

    def drop(broker: Any, session: str) -> None:
        broker.drop(session)

    return Rig(lambda: broker, broker.publish_from_device, drop, partitions)


def mqtt_rig(address: Address, plans: list[SessionPlan], version: str, partitions: int) -> Rig:
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

    return Rig(make, publish, drop, partitions)


def nats_rig(server: EmbeddedBroker) -> Rig:
    return mqtt_rig(server.address, partition_plans(PARTITIONS), "3.1.1", PARTITIONS)


@contextmanager
def mosquitto(folder: Path) -> Iterator[Address]:
    """A Mosquitto with the settings that lose nothing (its defaults do)."""
    server, passwd = needs("mosquitto"), needs("mosquitto_passwd")
    port = free_port("127.0.0.1")
    subprocess.run([passwd, "-c", "-b", str(folder / "passwords"), "roost", "pw"], check=True)
    config = folder / "mosquitto.conf"
    config.write_text(MOSQUITTO.format(port=port, folder=folder))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([server, "-c", str(config)], stdout=log, stderr=log)
    try:
        address = Address("127.0.0.1", port, "roost", "pw")
        for _ in range(200):
            try:
                wire.connect("127.0.0.1", port, "probe", "roost", "pw").close()
                break
            except OSError:
                trio.run(trio.sleep, 0.05)
        yield address
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)

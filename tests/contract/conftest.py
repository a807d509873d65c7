"""Real servers for contracts: one PostgreSQL for the session, a fresh database for each test."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.mqtt.client import Address
from actors.adapters.mqtt.plans import partition_plans, plain_plans
from actors.adapters.postgres.store import open_store
from actors.adapters.postgres.wire import connections, migrating
from roost.embedded import data_dir
from roost.embedded.broker import EmbeddedBroker
from roost.embedded.broker_config import PARTITIONS
from roost.embedded.postgres import EmbeddedPostgres
from tests.contract import brokers, habits, servers
from tests.contract.pg_scene import Scene, open_scene
from tests.simulation.running import run_virtually

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL with a migrated template."""
    folder = tmp_path_factory.mktemp("pg")
    server = EmbeddedPostgres(folder / "data", folder / "log", "of-the-tests")
    process = trio.run(server.start)
    try:
        asyncio.run(_make_template(server.url))
        yield server
    finally:
        process.terminate()
        process.wait(10)


async def _make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    # No test pulls the plug, and what the kernel has outlives a killed server.
    await connection.execute("ALTER SYSTEM SET fsync = off")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute("CREATE DATABASE roost_template")
    await connection.close()
    connection = await connections.connect(url.replace("/postgres?", "/roost_template?"))
    await migrating.migrate(connection)
    await connection.close()


def fresh_url(server: EmbeddedPostgres) -> str:
    """The URL of a database of its own, migrated."""
    name = f"test_{next(_numbers)}"

    async def make() -> None:
        connection = await asyncpg.connect(server.url)
        # Copied by the kernel, not through the log of the database: a fifth of the time.
        await connection.execute(
            f"CREATE DATABASE {name} TEMPLATE roost_template STRATEGY FILE_COPY"
        )
        await connection.close()

    asyncio.run(make())
    return server.url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def url(postgres: EmbeddedPostgres) -> str:
    """Of a database of its own."""
    return fresh_url(postgres)


@pytest.fixture
async def scene(url: str) -> AsyncIterator[Scene]:
    async with open_scene(url) as scene:
        yield scene


@pytest.fixture(params=["memory", "postgres"])
def opened_store(request: pytest.FixtureRequest) -> Any:
    """A function that opens the store under test: `async with opened_store() as store`."""
    if request.param == "postgres":
        url = fresh_url(request.getfixturevalue("postgres"))
        return lambda: open_store(url)

    @asynccontextmanager
    async def in_memory() -> AsyncIterator[MemoryStore]:
        yield MemoryStore(ManualClock())

    return in_memory


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    folder: Path = tmp_path_factory.mktemp("nats")
    secrets = data_dir.read_secrets(folder)
    server = EmbeddedBroker(folder / "data", folder / "log", "127.0.0.1", 0, secrets)
    process = trio.run(server.start)
    yield server
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="session")
def mosquitto_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with servers.mosquitto(tmp_path_factory.mktemp("mosquitto")) as address:
        yield address


REAL = ["nats", "mosquitto 5", "mosquitto 3.1.1"]
HABITS = dict(zip(REAL, (habits.NATS, habits.MOSQUITTO_5, habits.MOSQUITTO_311), strict=True))
# The twins run on virtual time.
TWINS = [pytest.param(f"memory {name}", marks=pytest.mark.trio(run=run_virtually)) for name in REAL]


@pytest.fixture(params=[*TWINS, *REAL])
def rig(request: pytest.FixtureRequest) -> brokers.Rig:
    """Each broker; a device name of its own for each test keeps the tests apart."""
    name, _, version = request.param.partition(" ")
    if name == "memory":
        return brokers.MemoryWorld(HABITS[version]).rig()
    if name == "nats":
        return brokers.nats_rig(request.getfixturevalue("nats"))
    address = request.getfixturevalue("mosquitto_address")
    return brokers.mqtt_rig(address, plain_plans(), version, 0)


@pytest.fixture(scope="module", params=[*TWINS, *REAL])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[servers.Served | brokers.MemoryWorld, str]]:
    """A broker that may be stopped and killed, and the version of MQTT that we speak to it."""
    name, _, version = request.param.partition(" ")
    if name == "memory":
        yield brokers.MemoryWorld(HABITS[version]), version
        return
    folder = tmp_path_factory.mktemp(name)
    if name == "nats":
        world = servers.Served(servers.Nats(folder), habits.NATS)
    else:
        server = servers.Mosquitto(folder, habits.AUTOSAVE_S)
        world = servers.Served(server, HABITS[request.param])
    yield world, version
    world.close()


@pytest.fixture
def habit_rig(
    served: tuple[servers.Served | brokers.MemoryWorld, str],
) -> Iterator[brokers.Rig]:
    """Each broker, without any session of ours at first."""
    world, version = served
    if isinstance(world, brokers.MemoryWorld):
        yield brokers.MemoryWorld(world.habits).rig()
        return
    if version:
        plans, partitions = plain_plans(), 0
    else:
        plans, partitions = partition_plans(PARTITIONS), PARTITIONS
    yield brokers.mqtt_rig(world.address, plans, version or "3.1.1", partitions, world)
    for plan in plans:
        world.lose_now(plan.client_id)


@pytest.fixture
def rng() -> random.Random:
    return random.Random(1)

"""What the broker keeps of a client goes with the login that it belongs to, whatever happens."""

import pytest

from actors.access.mqtt_credentials import client_id_of
from actors.access.session_sweep import AGAIN_S, EVERY_S
from actors.adapters.memory.broker.clients import Client
from tests.simulation.world import World


@pytest.fixture
def kept(world: World) -> dict[str, Client]:
    """Sessions at the broker, by client id."""
    return world.broker.clients.sessions


async def gone(world: World) -> str:
    """A device that listened was deleted; its client id."""
    shed = await world.device("shed").register()
    client_id = client_id_of(shed.id)
    assert client_id in world.broker.clients.sessions
    await shed.person.delete(f"/devices/{shed.id}")
    return client_id


async def test_they_go_with_their_device(world: World, kept: dict[str, Client]) -> None:
    other = await world.device("hall").register()
    assert await gone(world) not in kept
    assert list(kept) == [client_id_of(other.id)]


async def test_they_go_later_where_the_broker_was_away(
    world: World, kept: dict[str, Client]
) -> None:
    world.fault("broker away", seconds=30)
    await world.advance(1)
    client_id = await gone(world)
    assert client_id in kept
    await world.advance(30 + 2 * AGAIN_S)
    assert client_id not in kept


async def test_they_go_at_the_next_start_where_nobody_was_told(
    world: World, kept: dict[str, Client]
) -> None:
    """The process was killed between the one and the other; a listener's went with nothing."""
    await world.listeners.register("ada")
    name = "listener-00000000-0000-4000-8000-000000000001-a"
    world.broker.clients.connect(name, is_clean=False)
    world.broker.clients.connect("many-1", is_clean=False)  # the operator's own
    await world.restart()
    await world.advance(1)
    assert list(kept) == ["many-1"]


async def test_clean_ones_of_a_broker_that_was_killed_go(
    world: World, kept: dict[str, Client]
) -> None:
    shed = await world.device("shed").register()
    login = await world.listeners.register("ada")
    world.broker.clients.connect(f"{login}-clean", is_clean=True)
    world.broker.clients.connect(f"{login}-kept", is_clean=False)
    world.broker.restart(killed=True)
    await world.advance(EVERY_S + 1)
    assert sorted(kept) == sorted([client_id_of(shed.id), f"{login}-kept"])
    await world.listeners.register("ada")  # another name
    assert list(kept) == [client_id_of(shed.id)]

"""Commands for devices whose session the broker keeps while they are away."""

import json

from actors.access.mqtt_credentials import client_id_of
from actors.adapters.memory.broker.habits import NATS
from protocol.device.commands import AGAIN_FIRST_S
from tests.simulation.device import VirtualDevice
from tests.simulation.running import simulate
from tests.simulation.world import World


def published(world: World, device: VirtualDevice) -> int:
    """How often its commands were published."""
    topic = f"{device.prefix}/commands"
    return sum(each == topic and bool(json.loads(said)) for each, said in world.broker.sent)


def test_what_the_broker_holds_for_an_absent_device_is_not_sent_again() -> None:
    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.status(status="online")
            await shed.status(status="offline")
            world.command_listener.deaf.add(shed.name)
            world.broker.clients.leave(client_id_of(shed.id))
            command = await shed.person.post(f"/devices/{shed.id}/commands", {"type": "beep"})
            await world.advance(600)
            assert published(world, shed) == 1
            await world.restart()  # the next process knows that, too
            await world.advance(600)
            assert published(world, shed) == 1
            await shed.status(status="online")  # the broker delivers it
            await world.advance(AGAIN_FIRST_S - 1)
            assert published(world, shed) == 1
            await world.advance(2)  # it stayed silent
            assert published(world, shed) == 2
            world.command_listener.deaf.clear()
            await world.advance(600)
            state = (await shed.person.get(f"/commands/{command['id']}"))["state"]
            assert (state, published(world, shed)) == ("succeeded", 3)

    simulate(World(1, NATS), story)


def test_a_device_without_a_session_at_the_broker_is_tried_at_once_when_it_comes() -> None:
    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.status(status="offline")
            world.command_listener.deaf.add(shed.name)
            client_id = client_id_of(shed.id)
            world.broker.clients.connect(client_id, is_clean=True)
            world.broker.clients.leave(client_id)
            await shed.person.post(f"/devices/{shed.id}/commands", {"type": "beep"})
            await world.advance(60)
            before = published(world, shed)
            await shed.status(status="online")
            await world.advance(1)
            assert published(world, shed) == before + 1

    simulate(World(1, NATS), story)

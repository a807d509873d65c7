"""What no dashboard can be shown is not shown as it was before."""

import msgspec

from tests.simulation.poison import NO_TEXT
from tests.simulation.test_regressions import order
from tests.simulation.world import World


async def test_a_command_that_can_be_shown_no_more_does_not_stay_as_it_was_told(
    world: World,
) -> None:
    """Dashboards showed it as queued for good (seed 2109)."""
    shed = await world.device("shed").register()
    world.command_listener.deaf.add(shed.name)
    async with world.dashboard() as screen:
        command_id = await order(shed, 1)
        await world.advance(1)
        lists, known = screen.lists, world.store.all_commands
        key = shed.person.id, command_id
        known[key] = msgspec.structs.replace(known[key], payload=NO_TEXT)
        await shed.send(f"commands/{command_id}/ack", b'{"status": "delivered"}')
        await world.advance(5)
        assert known[key].state == "delivered"
        assert screen.lists == lists + 1  # where it is left out

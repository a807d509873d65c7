"""One process leads, whatever becomes of store, broker and processes, and settles what it took."""

import pytest

from actors.adapters.memory_session import MOSQUITTO_5, NATS, Habits
from tests.simulation.running import simulate
from tests.simulation.world import World

BOTH = pytest.mark.parametrize("habits", [NATS, MOSQUITTO_5], ids=["nats", "mosquitto"])


@BOTH
def test_an_outage_of_the_store_leaves_nothing_unacknowledged_and_no_alarm_unraised(
    habits: Habits,
) -> None:
    """The only process found a new epoch after the outage, took its own batch for another leader's,
    and forgot it on connections that stayed: messages waited for the next restart, and the alarm in
    the batch was never raised, because its actor took it for open."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.feed("t", max_value=50.0, on_violation="flag")
            await shed.publish("t", 1.0)
            await world.settle()
            world.fault("store away", seconds=10)
            await world.advance(0.01)
            for n in range(20):
                await shed.publish("t", float(n + 100))
            await world.advance(12)
            connections = {
                name: led.connection for name, led in world.house.gateway.ledgers.items()
            }
            await world.settle()
            assert world.broker.waiting == 0
            assert sorted(await shed.values("t")) == [1.0, *(float(n + 100) for n in range(20))]
            (alarm,) = (await shed.person.get("/alarms"))["items"]
            assert alarm["state"] == "active"
            assert all(connections.values())

    simulate(World(1, habits), story)

"""The end of a process, in the order of `roost.shutdown`: what it took, it brings to its end."""

import pytest
import trio

from actors.adapters.memory_session import MOSQUITTO_5, NATS, Habits
from actors.house import DRAIN_MAX_S, House
from tests.simulation.broken import Broken
from tests.simulation.running import simulate
from tests.simulation.world import World

COMMIT_S = 3.0


async def stopped_in_a_commit(world: World) -> None:
    """SIGTERM while a commit of three seconds is in flight."""
    shed = world.device("shed")
    await shed.publish("temperature", 20)
    await world.settle()
    world.store_faults.work_s = COMMIT_S
    for value in (21, 22, 23):
        await shed.publish("temperature", value)
    await world.advance(0.5)
    assert world.house.gateway.in_flight
    world.store_faults.stop()
    await world.stop()


@pytest.mark.parametrize("habits", [NATS, MOSQUITTO_5])
def test_the_next_process_receives_nothing_that_the_one_before_had_taken(habits: Habits) -> None:
    async def story(world: World) -> None:
        async with world.open():
            await stopped_in_a_commit(world)
            assert not world.broker.waiting
            world.start()
            await world.settle()
            gateway = world.house.gateway
            assert (gateway.messages, gateway.joined) == (0, 0)
            assert await world.device("shed").values("temperature") == [23, 22, 21, 20]

    simulate(World(1, habits), story)


async def test_acknowledgements_on_a_slow_line_arrive_before_the_session_ends(world: World) -> None:
    shed = world.device("shed")
    await shed.publish("temperature", 20)
    world.broker.latency = lambda: 1.0
    for plan in world.broker.plans:
        world.broker.drop(plan.client_id)
    await world.settle()
    await shed.publish("temperature", 21)
    with trio.fail_after(10):
        while not world.house.gateway.unheard:
            await world.advance(0.1)
    await world.stop()
    assert not world.broker.waiting


def test_what_is_in_flight_is_drained_when_an_essential_task_ends_the_process() -> None:
    async def fail() -> None:
        raise trio.TrioInternalError("the scheduler is broken")

    houses: list[House] = []

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.publish("temperature", 20)
            await world.settle()
            world.store_faults.work_s = 2.0  # two of them fit into the drain
            houses.append(world.house)
            world.house.supervisor.keep("failing", fail)
            while True:
                await shed.publish("temperature", 21)
                await world.advance(0.5)

    world = World(1, NATS)
    ended = pytest.RaisesExc(Broken, match="the process ended: .*TrioInternalError")
    with pytest.RaisesGroup(ended, flatten_subgroups=True):
        simulate(world, story)
    assert world.trace.lines[-1].endswith("1 ended")
    gateway = houses[0].gateway
    assert gateway.untaken  # it came during the drain, and stays with the broker
    assert (gateway.in_flight, gateway.unheard) == (0, 0)


async def test_sockets_hear_of_what_is_drained_and_are_closed_with_1001(world: World) -> None:
    async with world.dashboard() as screen:
        await stopped_in_a_commit(world)
        assert screen.codes == [1001]


async def test_an_end_without_a_database_is_bounded_and_loses_nothing(world: World) -> None:
    shed = world.device("shed")
    await shed.publish("temperature", 20)
    await world.settle()
    world.fault("store away", seconds=60)
    await shed.publish("temperature", 21)
    since_s = trio.current_time()
    await world.stop()
    assert trio.current_time() - since_s < DRAIN_MAX_S + 1
    world.start()
    await world.settle()
    assert await shed.values("temperature") == [21, 20]

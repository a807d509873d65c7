"""The end of a process, in the order of `roost.shutdown`: what it took, it brings to its end."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import trio

from actors.adapters.memory.broker.habits import MOSQUITTO_5, NATS, Habits
from actors.adapters.mqtt.plans import OUT
from actors.service import Service
from actors.wiring.draining import DRAIN_MAX_S
from protocol.webhook.deliveries import AGAIN_FIRST_S
from tests.simulation.broken import Broken
from tests.simulation.receiver import Answer
from tests.simulation.running import simulate
from tests.simulation.world import World

COMMIT_S = 3.0
TAKES_S = 1.5


async def stopped_in_a_commit(world: World) -> None:
    """SIGTERM while a commit of three seconds is in flight."""
    shed = world.device("shed")
    await shed.publish("temperature", 20)
    await world.settle()
    world.store_faults.work_s = COMMIT_S
    for value in (21, 22, 23):
        await shed.publish("temperature", value)
    await world.advance(0.5)
    assert world.service.gateway.room.messages
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
            gateway = world.service.gateway
            assert (gateway.messages, world.service.own_sessions.joined) == (0, 0)
            assert await world.device("shed").values("temperature") == [23, 22, 21, 20]

    simulate(World(1, habits), story)


@pytest.mark.parametrize("habits", [NATS, MOSQUITTO_5])
def test_what_says_the_same_after_an_end_in_order_is_a_new_message(habits: Habits) -> None:
    """It was taken for the redelivery of one whose acknowledgement the broker might not have heard:
    acknowledged, and not stored."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.publish("temperature", 20)
            await world.settle()
            await shed.publish("temperature", 21)
            await world.advance(0.2)
            await world.stop()
            world.start()
            await world.settle()
            await shed.publish("temperature", 21)
            await world.settle()
            assert await shed.values("temperature") == [21, 21, 20]

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
        while not world.service.own_sessions.unheard:
            await world.advance(0.1)
    await world.stop()
    assert not world.broker.waiting


def test_what_is_in_flight_is_drained_when_an_essential_task_ends_the_process() -> None:
    async def fail() -> None:
        raise trio.TrioInternalError("the scheduler is broken")

    services: list[Service] = []

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.publish("temperature", 20)
            await world.settle()
            world.store_faults.work_s = 2.0  # two of them fit into the drain
            services.append(world.service)
            world.service.supervisor.run_essential("failing", fail)
            while True:
                await shed.publish("temperature", 21)
                await world.advance(0.5)

    world = World(1, NATS)
    ended = pytest.RaisesExc(Broken, match="the process ended: .*TrioInternalError")
    with pytest.RaisesGroup(ended, flatten_subgroups=True):
        simulate(world, story)
    assert world.trace.lines[-1].endswith("1 ended")
    gateway = services[0].gateway
    assert gateway.left.untaken  # it came during the drain, and stays with the broker
    assert (gateway.room.messages, services[0].own_sessions.unheard) == (0, 0)


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


class Sent:
    """Each command as the store has it, and how often it was published; each event, as often as
    its receiver took it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._published = Counter[str]()
        self._look_on = world.command_listener.published
        world.command_listener.published = self._note  # type: ignore[method-assign]

    def _note(self, topic: str, payload: bytes) -> None:
        self._look_on(topic, payload)
        if topic.endswith("/commands"):
            self._published[json.loads(payload)["id"]] += 1

    def commands(self) -> list[str]:
        known = self._world.store.all_commands.values()
        return [f"{each.state} x{self._published[each.id]}" for each in known]

    def deliveries(self) -> list[str]:
        taken = self._world.receivers.taken("ada")
        known = self._world.store.all_deliveries.values()
        return [f"{each.state} x{taken[each.event_id]}" for each in known]


class Calls:
    """How many began, and how many are done, whether or not the answer has arrived."""

    begun = done = 0


async def reached(what: Callable[[], object]) -> None:
    with trio.fail_after(10):
        while not what():
            await trio.sleep(0.01)


def slow(world: World, call: str, *, answer_s: float = 0.0, work_s: float = 0.0) -> Calls:
    """That call of the store takes so long until it is done, and its answer so long."""
    calls, work = Calls(), getattr(world.store, call)

    async def slowly(*args: Any) -> Any:
        calls.begun += 1
        await trio.sleep(work_s)
        answer = await work(*args)
        calls.done += 1
        await trio.sleep(answer_s)
        return answer

    setattr(world.store, call, slowly)
    return calls


@pytest.mark.parametrize("moment", ["claim", "publish", "note"])
async def test_a_command_that_was_claimed_is_published_once_and_noted(
    world: World, moment: str
) -> None:
    """It stayed `queued` although the device had it; or was claimed, and nobody sent it."""
    shed = world.device("shed")
    await shed.publish("temperature", 20)
    await world.settle()
    world.command_listener.deaf.add("ada/shed")  # no answer tells that it was sent
    sent = Sent(world)
    claims = slow(world, "claim_commands", answer_s=TAKES_S if moment == "claim" else 0.0)
    notes = slow(world, "commands_sent", work_s=TAKES_S if moment == "note" else 0.0)
    if moment == "publish":
        world.broker.latency = lambda: TAKES_S
        world.broker.drop(OUT)
        await world.settle()
    await shed.person.post(f"/devices/{shed.id}/commands", {"type": "beep"})
    if moment == "claim":
        await reached(lambda: claims.done)
    elif moment == "publish":
        await reached(lambda: sent.commands() == ["queued x1"])
    else:
        await reached(lambda: notes.begun)
    assert sent.commands() == ["queued x0" if moment == "claim" else "queued x1"]
    await world.stop()
    assert sent.commands() == ["sent x1"]
    world.calm()
    world.start()
    await world.advance(0.5)  # it is tried again five seconds after its first try: nobody answered
    assert sent.commands() == ["sent x1"]


@pytest.mark.parametrize("moment", ["claim", "post", "note"])
def test_a_delivery_that_was_claimed_reaches_its_receiver_once(moment: str) -> None:
    """The next process posted it again, half a minute later."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.register()
            await world.receivers.register("ada")
            world.command_listener.deaf.add("ada/shed")
            made = await shed.person.post(f"/devices/{shed.id}/commands", {"type": "beep"})
            await world.advance(1.0)
            sent = Sent(world)
            claims = slow(world, "claim_deliveries", answer_s=TAKES_S if moment == "claim" else 0.0)
            notes = slow(world, "delivery_tried", work_s=TAKES_S if moment == "note" else 0.0)
            await shed.person.delete(f"/commands/{made['id']}")
            await reached(lambda: notes.begun if moment == "note" else claims.done)
            await world.advance(0.1)
            assert sent.deliveries() == ["pending x1" if moment == "note" else "pending x0"]
            await world.stop()
            assert sent.deliveries() == ["delivered x1"]
            world.start()
            await world.advance(2 * AGAIN_FIRST_S)
            assert sent.deliveries() == ["delivered x1"]

    simulate(World(1, NATS, answers=[Answer(after_s=0.5)]), story)


def test_a_receiver_that_hangs_holds_up_the_end_no_longer_than_the_drain() -> None:
    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.register()
            await world.receivers.register("ada")
            world.command_listener.deaf.add("ada/shed")
            made = await shed.person.post(f"/devices/{shed.id}/commands", {"type": "beep"})
            await world.advance(1.0)
            await shed.person.delete(f"/commands/{made['id']}")
            await reached(lambda: world.service.scheduler.webhook_sender.in_flight)
            since_s = trio.current_time()
            await world.stop()
            assert trio.current_time() - since_s < DRAIN_MAX_S + 1

    simulate(World(1, NATS, answers=[Answer(status=0)]), story)


def test_nothing_is_claimed_once_the_end_has_begun() -> None:
    """What people ask for meanwhile goes out from the next process, at once."""

    async def story(world: World) -> None:
        async with world.open():
            await stopped_after_a_command(world)

    async def stopped_after_a_command(world: World) -> None:
        shed = world.device("shed")
        await shed.publish("temperature", 20)
        await world.settle()
        sent = Sent(world)
        async with trio.open_nursery() as nursery:
            await stopping_slowly(world, nursery)
            await shed.person.post(f"/devices/{shed.id}/commands", {"type": "beep"})
        assert sent.commands() == ["queued x0"]
        world.calm()
        world.start()
        await world.advance(1.0)
        assert sent.commands()[0].endswith(" x1")

    async def stopping_slowly(world: World, nursery: trio.Nursery) -> None:
        world.store_faults.work_s = COMMIT_S
        await world.device("shed").publish("temperature", 21)
        await reached(lambda: world.service.gateway.room.messages)
        nursery.start_soon(world.stop)
        await world.advance(0.1)

    simulate(World(1, NATS), story)

"""Canaries: what passes, what is late, and what `/readyz` makes of it."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import trio

from actors.adapters.memory.broker.habits import MOSQUITTO_5, NATS
from actors.adapters.mqtt.plans import partition_plans, plain_plans
from actors.ingest.canaries import EVERY_S, LATE_S, Canaries, canary_topics
from actors.ports.broker import Publication
from protocol.device.topics import Kind, parse_topic, partition
from protocol.rest.shapes import Readiness
from tests.simulation.running import simulate
from tests.simulation.world import World
from web.ops.readiness import assess


def ask(story: Callable[[World], object], habits: object = NATS, seed: int = 1) -> None:
    async def told(world: World) -> None:
        async with world.open():
            await world.settle()
            await story(world)  # type: ignore[misc]

    simulate(World(seed, habits), told)  # type: ignore[arg-type]


async def readiness(world: World) -> Readiness:
    return await assess((await world.serving()).service)


def late_s(world: World) -> float:
    return max(LATE_S, 2 * world.pulse.canary_s) + world.pulse.canary_s


def test_every_session_of_devices_has_a_topic_of_its_own_partition() -> None:
    for plans, many in ((partition_plans(4), 4), (plain_plans(), 1)):
        topics = canary_topics(plans)
        assert len(set(topics.values())) == len(topics) == 2 * many
        for plan in plans:
            if plan.partition is None:
                assert plan.client_id not in topics
                continue
            topic = parse_topic(topics[plan.client_id])
            assert topic.kind is (Kind.STATUS if plan.live else Kind.READING)
            assert plan.partition == partition(*topic.device, many)


@pytest.mark.parametrize("habits", [NATS, MOSQUITTO_5], ids=["nats", "mosquitto"])
def test_a_service_that_works_is_ready(habits: object) -> None:
    async def story(world: World) -> None:
        found = await readiness(world)
        assert (found.status, set(found.checks.values())) == ("ready", {"ok"})
        canaries = world.service.canaries
        before = canaries.passed_total
        await world.advance(world.pulse.canary_s + 1)
        assert canaries.passed_total == before + len(canaries.canaries)
        assert world.service.counters.total.received == 0  # they are no readings

    ask(story, habits)


def test_one_session_that_brings_nothing_is_degraded_and_named() -> None:
    async def story(world: World) -> None:
        world.fault("line stalls", seconds=600, target="roost-part-2")
        await world.advance(late_s(world))
        found = await readiness(world)
        assert found.status == "degraded"
        assert "roost-part-2" in found.checks["canaries"]
        assert "roost-part-1" not in found.checks["canaries"]
        assert world.service.canaries.failing_since_s is None
        await world.advance(600)
        assert (await readiness(world)).status == "ready"

    ask(story)


@pytest.mark.parametrize("fault", ["store away", "broker away"])
def test_while_no_canary_passes_it_is_not_ready_and_then_ready_again(fault: str) -> None:
    async def story(world: World) -> None:
        began_s = trio.current_time()
        world.fault(fault, seconds=300)
        await world.advance(late_s(world))
        assert (await readiness(world)).status == "not ready"
        since_s = world.service.canaries.failing_since_s
        assert since_s is not None
        assert began_s - world.pulse.canary_s <= since_s <= began_s
        # However long it lasts, they do not pile up.
        assert world.service.writer.statistics().waiting <= len(world.service.canaries.canaries)
        await world.advance(300)
        assert (await readiness(world)).status == "ready"

    ask(story)


def test_a_writer_that_stands_still_shows_though_everything_is_connected() -> None:
    async def story(world: World) -> None:
        async def never(batch: object) -> None:
            await trio.sleep_forever()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(world.service.writer, "_commit", never)
            await world.advance(late_s(world) + world.pulse.canary_s)
            found = await readiness(world)
            assert found.checks["broker"] == found.checks["database"] == "ok"
            assert found.status == "not ready"
        world.kill()

    ask(story)


def test_a_canary_of_another_process_proves_nothing() -> None:
    async def story(world: World) -> None:
        canaries = world.service.canaries
        before = canaries.passed_total
        topic = canaries.canaries["roost-part-0"].topic
        world.broker.publish_from_device(topic, b'{"canary":"other","n":1}')
        await world.advance(0.5)
        assert canaries.passed_total == before
        assert world.broker.waiting == 0

    ask(story)


def test_who_leads_anew_waits_for_no_canary_of_before() -> None:
    """Another process may have taken them."""

    async def story(world: World) -> None:
        canaries = world.service.canaries
        forgotten: list[str] = []
        canaries._forgot = forgotten.append
        world.fault("line stalls", seconds=600, target="roost-part-0")
        await world.advance(world.pulse.canary_s + 1)
        (waiting,) = canaries.canaries["roost-part-0"].on_their_way
        await world.store.hold_lead("another", 0.1, seize=True)
        await world.store.resign_lead("another")
        await world.settle()
        assert world.service.leadership.epoch == 3
        assert forgotten == list(canaries.canaries)
        assert waiting not in canaries.canaries["roost-part-0"].on_their_way

    ask(story)


def test_before_the_first_canary_it_is_not_ready() -> None:
    async def story(world: World) -> None:
        world.broker.away = True
        async with world.open():
            assert (await readiness(world)).status == "not ready"
            world.broker.away = False
            await world.advance(EVERY_S + world.pulse.canary_s)
            assert (await readiness(world)).status == "ready"

    simulate(World(1), story)


async def test_a_lead_taken_again_within_a_round_begins_a_new_one(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """What passed long ago, before it was lost, made the new leader answer 503 for seconds."""
    sent: list[Publication] = []

    async def publish(messages: list[Publication]) -> list[bool]:
        await trio.lowlevel.checkpoint()
        sent.extend(messages)
        return [True] * len(messages)

    broker = SimpleNamespace(
        sessions=plain_plans(), wait_subscribed=trio.lowlevel.checkpoint, publish=publish
    )
    canaries = Canaries(
        broker,
        "t",
        wait_may_serve=trio.lowlevel.checkpoint,
        leads=lambda: True,
        is_there=lambda session, at_s: None,
        forgot=lambda session: None,
    )
    nursery.start_soon(canaries.run)
    await trio.sleep(0.5)
    for name, message in zip(canaries.canaries, sent, strict=True):
        canaries.passed(name, message.payload)
    await trio.sleep(10 * EVERY_S)
    assert canaries.failing_since_s is not None
    sent.clear()
    canaries.led()
    assert canaries.failing_since_s is None and not canaries.is_proven
    await trio.sleep(0.5)
    assert len(sent) == len(canaries.canaries)

"""What devices retain: when it leaves the broker, whatever happens meanwhile."""

import json
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from actors.adapters.memory.broker.habits import MOSQUITTO_311, NATS, Habits
from actors.adapters.mqtt.plans import plain_plans
from protocol.device.payloads import PAYLOAD_BYTES_MAX
from protocol.device.topics import prefix, unmapped
from tests.simulation import world as worlds
from tests.simulation.clock import START_US
from tests.simulation.device import VirtualDevice
from tests.simulation.running import simulate
from tests.simulation.world import World

LARGE = b"x" * (PAYLOAD_BYTES_MAX + 1)
BROKERS = pytest.mark.parametrize("habits", [NATS, MOSQUITTO_311], ids=["nats", "mosquitto"])
Story = Callable[[World], Awaitable[None]]


def tell(story: Story, habits: Habits) -> World:
    async def opened(world: World) -> None:
        async with world.open():
            await story(world)

    world = World(1, habits)
    simulate(world, opened)
    return world


def retained(world: World) -> list[str]:
    return sorted(unmapped(each).partition("/devices/")[2] for each in world.broker.retained)


def told(world: World, device: VirtualDevice) -> list[str]:
    """What the device was told of clearings."""
    mine = f"{prefix(device.person.id, device.code)}/errors"
    heard = [json.loads(payload) for topic, payload in world.broker.sent if topic == mine]
    return [f"{each['topic'].rpartition('/')[2]}: {each['reason']}" for each in heard]


async def left_alone(world: World) -> None:
    await world.settle()
    await world.advance(3 * world.pulse.retained_s)
    await world.settle()


@pytest.mark.parametrize("how", ["at once", "the broker was away", "the process was killed"])
@BROKERS
def test_with_a_device_goes_what_it_has_retained(habits: Habits, how: str) -> None:
    async def story(world: World) -> None:
        shed = world.device("shed")
        await shed.publish("t", 1.0, retain=True)
        await shed.send("status", b'{"status": "online"}', retain=True)
        await left_alone(world)
        assert "shed/status" in retained(world)
        world.broker.away = how != "at once"
        await shed.person.delete(f"/devices/{shed.id}")
        if how == "the process was killed":
            world.kill()
        await world.advance(20)
        world.broker.away = False
        if how == "the process was killed":
            world.broker.drop_all()
            world.start()
        await left_alone(world)
        assert retained(world) == []
        rejected = await shed.person.get("/rejected-messages")
        assert rejected["items"] == []  # our own clearing is none of its messages

    tell(story, habits)


@pytest.mark.parametrize("qos", [0, 1])
def test_readings_that_nobody_else_can_see_leave_and_a_status_stays(qos: int) -> None:
    async def story(world: World) -> None:
        shed = world.device("shed")
        await shed.feed("t")
        await world.settle()
        await shed.publish("t", 1.0, retain=True, qos=qos)
        await shed.send("status", b'{"status": "online"}', retain=True)
        world.fault("line cut", target="roost-part-0")
        world.fault("line cut", target="roost-part-1")
        world.fault("line cut", target="roost-part-2")
        world.fault("line cut", target="roost-part-3")
        await shed.publish("t", 2.0, retain=True, qos=qos)
        await left_alone(world)
        assert retained(world) == ["shed/status"]
        assert 2.0 in await shed.values("t")

    tell(story, NATS)


@BROKERS
def test_where_others_may_subscribe_readings_stay_and_are_taken_once(habits: Habits) -> None:
    async def story(world: World) -> None:
        shed = world.device("shed")
        await shed.publish("t", 1.0, retain=True)
        for _ in range(3):
            await left_alone(world)
            world.broker.drop_all()
        await left_alone(world)
        assert retained(world) == (["shed/feeds/t"] if habits is MOSQUITTO_311 else [])
        assert len(await shed.values("t")) <= 2  # said, and kept by the broker

    tell(story, habits)


@BROKERS
def test_what_is_too_large_is_refused_once_and_cleared_and_the_device_hears_it(
    habits: Habits,
) -> None:
    async def story(world: World) -> None:
        shed = world.device("shed")
        await shed.feed("t")
        world.kill()
        place = prefix(shed.person.id, "shed")
        world.broker.publish_from_device(f"{place}/status", LARGE, retain=True)
        world.broker.publish_from_device(f"{place}/feeds/t", b"2", retain=True)
        world.start()
        await left_alone(world)
        world.broker.drop_all()
        await left_alone(world)
        assert "shed/status" not in retained(world)
        rejected = await shed.person.get("/rejected-messages")
        assert {each["reason"] for each in rejected["items"]} == {"too_large"}
        assert "status: too_large" in told(world, shed)

    tell(story, habits)


def test_a_message_that_is_newer_than_the_one_that_was_found_stays() -> None:
    async def story(world: World) -> None:
        shed = world.device("shed")
        await shed.send("status", b'{"status": "online", "firmware": "1"}', retain=True)
        await world.settle()
        port = world.service.retained._port
        assert port is not None
        found = await port.of_device(shed.person.id, "shed")
        await shed.send("status", b'{"status": "online", "firmware": "2"}', retain=True)
        assert await port.clear(found)
        assert retained(world) == ["shed/status"]

    tell(story, NATS)


def test_readings_leave_a_broker_of_somebody_elses_where_it_is_set_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(world: World) -> None:
        shed = world.device("shed")
        await shed.publish("t", 1.0, retain=True)
        await left_alone(world)
        world.broker.drop_all()  # the next subscriptions bring it
        await left_alone(world)
        assert retained(world) == []
        rejected = await shed.person.get("/rejected-messages")
        assert rejected["items"] == []

    monkeypatch.setattr(worlds, "plain_plans", partial(plain_plans, is_seen=False))
    tell(story, MOSQUITTO_311)


@BROKERS
def test_what_is_retained_is_one_reading_and_one_refusal_however_often_roost_starts(
    habits: Habits,
) -> None:
    async def story(world: World) -> None:
        shed = world.device("shed")
        await shed.publish("t", 1.0, retain=True)
        await shed.publish("named", 2.0, id="7", retain=True)
        await shed.publish("timed", 3.0, ts=START_US // 1_000_000 - 60, retain=True)
        for tail in ("feeds/unknown", "feeds/t/", "LWT"):
            await shed.send(tail, b"5", retain=True)
        await shed.send("status", b'{"latitude": 91}', retain=True)
        for days in (0.0, 0.3, 7.2, 0.1):  # ids are remembered for seven days
            await left_alone(world)
            for key, value in (("t", 1.0), ("named", 2.0), ("timed", 3.0)):
                assert await shed.values(key) == [value]
            rejected = (await shed.person.get("/rejected-messages"))["items"]
            reasons = sorted(each["reason"] for each in rejected)
            assert reasons == ["bad_topic", "bad_topic", "bad_value", "unknown_feed"]
            await world.stop()
            world.clock.jump(days * 24 * 3_600)
            await world.store.tidy()
            world.start()
            await world.serving()

    tell(story, habits)


def test_of_a_feed_without_a_reading_the_retained_copy_is_taken_once() -> None:
    async def story(world: World) -> None:
        shed = world.device("shed")
        await shed.feed("t")
        await world.settle()
        world.kill()
        for session in world.broker.sessions:
            world.broker.lose(session)
        await shed.publish("t", 1.0, retain=True)  # no session of ours takes it
        for _ in range(3):
            world.start()
            await world.serving()
            await left_alone(world)
            assert await shed.values("t") == [1.0]
            assert await shed.last("t") is None  # its time is unknown
            await world.stop()
            world.clock.jump(2.5 * 24 * 3_600)  # ids are remembered for seven days
        world.start()
        await world.serving()

    tell(story, MOSQUITTO_311)

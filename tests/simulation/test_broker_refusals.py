"""What the broker does not take from devices: their pages, and the alarm of a loop."""

from actors.access.mqtt_credentials import client_id_of
from actors.adapters.memory.broker.habits import NATS
from actors.ingest.broker_refusals import LOOP_MANY, LOOP_WITHIN_S, BrokerRefusal
from actors.ingest.rejections import NOTICES_PER_MINUTE
from protocol.problems.detail import Detail
from tests.simulation.device import VirtualDevice
from tests.simulation.running import simulate
from tests.simulation.world import World

SPACE, DENIED = Detail("ended_space"), Detail("broker_denied")


async def ends(world: World, device: VirtualDevice, times: int, every_s: float) -> None:
    """The broker ends the device's connection so many times."""
    for _ in range(times):
        refusal = BrokerRefusal(client_id=client_id_of(device.id), why=SPACE, is_end=True)
        await world.service.broker_refusals.take([refusal])
        await world.advance(every_s)


async def alarms(device: VirtualDevice) -> list[tuple[str, str]]:
    items = (await device.person.get("/alarms?kind=loop"))["items"]
    return [(each["kind"], each["state"]) for each in items]


def test_a_loop_is_an_alarm_until_the_device_has_come_to_rest() -> None:
    async def story(world: World) -> None:
        async with world.open(), world.dashboard() as screen:
            shed = world.device("shed")
            await shed.status(status="online")
            await ends(world, shed, LOOP_MANY + 1, LOOP_WITHIN_S)  # now and then: no loop
            await world.settle()
            assert await alarms(shed) == []
            await ends(world, shed, LOOP_MANY, 10)
            await world.settle()
            assert await alarms(shed) == [("loop", "active")]
            await screen.until(lambda: any(f["type"] == "alarm" for f in screen.frames))
            await world.restart()
            await shed.status(status="online")
            await world.settle()
            assert await alarms(shed) == [("loop", "active")]
            for _ in range(4):
                await world.advance(100)
                await shed.publish("t", 1.0)
            await world.settle()
            assert await alarms(shed) == [("loop", "cleared")]

    simulate(World(1, NATS), story)


def test_a_device_that_is_denied_ever_again_fills_no_page() -> None:
    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.publish("t", 1.0)
            mine = [
                BrokerRefusal(client_id=client_id_of(shed.id), why=DENIED, topic=f"a/{n}")
                for n in range(2 * NOTICES_PER_MINUTE)
            ]
            nobodys = BrokerRefusal(client_id="device-of-nobody", why=DENIED)
            await world.service.broker_refusals.take([mine[0], nobodys] * 100)
            found = (await shed.person.get(f"/devices/{shed.id}/messages"))["items"]
            assert [each["topic"] for each in found if each["reason"]] == ["a/0"]
            await world.service.broker_refusals.take(mine)
            found = (await shed.person.get(f"/devices/{shed.id}/messages"))["items"]
            reasons = [each["reason"] for each in found]
            assert reasons == [*["denied"] * NOTICES_PER_MINUTE, None]

    simulate(World(1, NATS), story)

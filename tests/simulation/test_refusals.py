"""What is refused beyond the budget, over the whole way: counted with its device, never lost."""

from actors.ingest.refusal_budget import DEVICE_PER_HOUR
from tests.simulation.world import World

BEYOND = 5


async def test_refusals_beyond_the_budget_are_counted_with_the_device_also_over_a_crash(
    world: World,
) -> None:
    shed = await world.device("shed").register()
    await shed.feed("t")
    for _ in range(DEVICE_PER_HOUR + BEYOND):
        await shed.send("feeds/t", b"not json")
    await world.settle()
    account = await shed.person.get(f"/devices/{shed.id}/account")
    assert account["refused"] == account["received"] == DEVICE_PER_HOUR + BEYOND
    assert account["refusals_not_kept"] == BEYOND
    assert account["refusals_not_kept_at"]
    world.kill()
    await world.restart()
    await shed.publish("t", 1.0)
    await world.settle()
    assert await shed.values("t") == [1.0]
    account = await shed.person.get(f"/devices/{shed.id}/account")
    assert account["refusals_not_kept"] == BEYOND  # not of the process, but of the device


async def test_refusals_are_deleted_one_by_one_and_all_at_once(world: World) -> None:
    shed, barn = world.device("shed"), world.device("barn")
    for device in (shed, barn):
        await device.feed("t")
        await device.send("feeds/t", b"not json")
        await device.send("feeds/other", b"1")
    await world.settle()
    ada = world.person()
    first, *others = (await ada.get("/rejected-messages"))["items"]
    assert len(others) == 3
    await ada.delete(f"/rejected-messages/{first['id']}")
    status, _ = await ada.once("DELETE", f"/rejected-messages/{first['id']}")
    assert status == 404
    assert await ada.call("DELETE", f"/rejected-messages?device_id={shed.id}") == {"deleted": 2}
    (left,) = (await ada.get("/rejected-messages"))["items"]
    assert await ada.call("DELETE", "/rejected-messages?reason=out_of_range") == {"deleted": 0}
    early = left["received_at"].replace("+", "%2B")
    assert await ada.call("DELETE", f"/rejected-messages?before={early}") == {"deleted": 0}
    assert await ada.call("DELETE", "/rejected-messages") == {"deleted": 1}
    assert (await ada.get("/rejected-messages"))["items"] == []


async def test_on_a_nearly_full_disk_nothing_is_taken_and_nothing_lost(world: World) -> None:
    shed = await world.device("shed").register()
    await shed.feed("t")
    world.fault("disk nearly full", seconds=30)
    await world.advance(0.1)
    await shed.publish("t", 1.0)
    await shed.publish("t", 2.0, qos=0)
    await world.advance(20)
    assert world.service.gateway.room.messages == 0
    assert await shed.values("t") == []
    status, _ = await shed.person.once("POST", "/devices", {"device_code": "new", "name": "new"})
    assert status == 507
    await world.advance(20)
    await world.settle()
    assert await shed.values("t") == [1.0]  # QoS 0 is shed, and counted
    account = await shed.person.get(f"/devices/{shed.id}/account")
    assert (account["received"], account["stored"], account["shed"]) == (2, 1, 1)

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

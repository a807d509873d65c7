"""Commands and offline detection, with a real MQTT client."""

import json

import trio

from tests.real.harness import DeviceClient, Person, Roost, dashboard, eventually


async def test_a_command_reaches_its_device_and_follows_its_answers(
    roost: Roost, ada: Person
) -> None:
    device = ada.device("obedient")
    client = DeviceClient(roost, device["mqtt"])
    client.subscribe("commands")
    async with dashboard(roost, ada) as screen:
        assert (await screen.next())["type"] == "device_list"
        body = {"type": "beep", "payload": {"times": 2}, "ttl_s": 60}
        path = f"/devices/{device['id']}/commands"
        made = await trio.to_thread.run_sync(lambda: ada.call("POST", path, json=body).json())
        heard = await trio.to_thread.run_sync(client.next)
        assert heard is not None
        command = json.loads(heard[1])
        assert (command["type"], command["id"]) == ("beep", made["id"])
        assert command["payload"] == {"times": 2}
        for status in ("delivered", "succeeded"):
            answer = {"status": status}
            tail = f"commands/{made['id']}/ack"
            await trio.to_thread.run_sync(client.publish, tail, answer)
        states: list[str] = []
        while "succeeded" not in states:
            states.append((await screen.until("command_update"))["command"]["state"])
    # Events of one commit are coalesced; none is sent before an earlier one.
    assert states == [s for s in ("queued", "sent", "delivered", "succeeded") if s in states]
    eventually(lambda: ada.get(f"/commands/{made['id']}")["state"], lambda s: s == "succeeded")
    client.close()


async def test_a_device_that_falls_silent_is_offline_with_an_alarm(
    roost: Roost, ada: Person
) -> None:
    device = ada.device("silent")
    answer = ada.call("PATCH", f"/devices/{device['id']}", json={"offline_after_s": 1})
    assert answer.status_code == 200
    client = DeviceClient(roost, device["mqtt"])
    async with dashboard(roost, ada) as screen:
        assert (await screen.next())["type"] == "device_list"
        await trio.to_thread.run_sync(client.publish, "status", {"status": "online"})
        online = await screen.until("device_update")
        assert online["device"]["status"] == "online"
        offline = await screen.until("device_update")
        assert offline["device"]["status"] == "offline"
        alarm = await screen.until("alarm")
        assert (alarm["alarm"]["kind"], alarm["alarm"]["state"]) == ("offline", "active")
    (kept,) = eventually(
        lambda: ada.get("/alarms", device_id=device["id"])["items"], lambda found: len(found) == 1
    )
    assert kept["id"] == alarm["alarm"]["id"]
    seen = ada.call("POST", f"/alarms/{kept['id']}/ack").json()
    assert seen["state"] == "acknowledged"
    client.close()

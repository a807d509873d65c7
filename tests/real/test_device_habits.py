"""What real devices do: wills with the time of the connect, counters that start anew."""

import time

import pytest

from tests.real.harness import DeviceClient, Person, Roost, eventually


@pytest.mark.parametrize("age_s", [0, 30, 10**9])
def test_a_will_that_carries_a_time_makes_its_device_offline(
    roost: Roost, ada: Person, age_s: int
) -> None:
    device = ada.device(f"will-{age_s}")
    ts = max(0, int(time.time()) - age_s)
    client = DeviceClient(roost, device["mqtt"], will={"status": "offline", "ts": ts})
    client.publish("status", {"status": "online", "temperature": 4, "ts": time.time()})
    eventually(lambda: ada.get(f"/devices/{device['id']}")["status"] == "online")
    client.vanish()
    eventually(lambda: ada.get(f"/devices/{device['id']}")["status"] == "offline")
    again = DeviceClient(roost, device["mqtt"])
    again.publish("status", {"status": "offline", "ts": 0})
    again.publish("status", {"status": "online"})
    eventually(lambda: ada.get(f"/devices/{device['id']}")["status"] == "online")
    assert ada.rejected() == []
    again.close()


def test_an_id_that_comes_again_with_another_value_is_another_reading(
    roost: Roost, ada: Person
) -> None:
    device = ada.device("counts", "n")
    client = DeviceClient(roost, device["mqtt"])
    for value in (1, 2, 3, 1):
        client.publish("feeds/n", {"value": value, "id": "7"})
    for ts in (1767225600, 1767225601, 1767225600):
        client.publish("feeds/n", {"value": 4, "id": "7", "ts": ts})
    client.publish("feeds/n", 5)
    feed = device["feeds"]["n"]
    found = eventually(lambda: ada.values(feed), lambda values: 5 in values)
    assert sorted(found) == [1, 2, 3, 4, 4, 5]
    account = ada.get(f"/devices/{device['id']}/account")
    assert (account["stored"], account["duplicate"]) == (6, 2)
    client.close()

"""What the embedded broker does not take: it is in its log, and on the device's page."""

from typing import Any

import pytest

from tests.real.harness import DeviceClient, Person, Roost, eventually
from tests.support import wire


def not_taken(ada: Person, device: dict[str, Any]) -> list[tuple[str, str]]:
    found = ada.get(f"/devices/{device['id']}/messages")["items"]
    return [(each["topic"], each["detail"]) for each in found if each["reason"] == "denied"]


def line_of(roost: Roost, device: dict[str, Any], will: tuple[str, bytes] | None = None) -> Any:
    access = device["mqtt"]
    login = (access["client_id"], access["username"], access["password"])
    return wire.connect("127.0.0.1", roost.mqtt_port, *login, will)


def test_what_the_broker_denies_is_on_the_devices_page(roost: Roost, ada: Person) -> None:
    device = ada.device("outside", "n")
    client = DeviceClient(roost, device["mqtt"])
    prefix = device["mqtt"]["topic_prefix"]
    topics = [f"/{prefix}/feeds/n", "elsewhere/n", f"{prefix}/commands"]
    for topic in topics:
        client.client.publish(topic, b"1", 1).wait_for_publish(5)
    found = eventually(lambda: not_taken(ada, device), lambda items: len(items) == len(topics))
    assert sorted(topic for topic, _ in found) == sorted(topics)
    assert all("denied by the broker" in why for _, why in found)
    assert "message not taken by the broker" in roost.log
    assert ada.get("/alarms", device_id=device["id"])["items"] == []
    client.close()


@pytest.mark.parametrize("tail", ["feeds/temperature ", "feeds/living room", "feeds/a\tb"])
def test_a_space_in_a_topic_is_on_the_devices_page_and_a_loop_is_an_alarm(
    roost: Roost, ada: Person, tail: str
) -> None:
    device = ada.device(f"space-{len(tail)}-{'t' if 't' in tail else 'a'}", "n")
    topic = f"{device['mqtt']['topic_prefix']}/{tail}"
    for times in range(1, 5):
        with line_of(roost, device) as line, pytest.raises(ConnectionError):
            wire.publish_once(line, topic, b"1", 1, False)
        eventually(lambda: not_taken(ada, device), lambda items: len(items) == times)  # noqa: B023
    (_, why), *_ = not_taken(ada, device)
    assert "space" in why
    alarms = eventually(lambda: ada.get("/alarms", device_id=device["id"])["items"])
    assert [(each["kind"], each["state"]) for each in alarms] == [("loop", "active")]
    assert alarms[0]["detail"].startswith("device disconnected in a loop: ")
    assert ada.get("/alarms", kind="loop", device_id=device["id"])["items"] == alarms


def test_a_space_in_the_topic_of_a_will_is_told_too(roost: Roost, ada: Person) -> None:
    device = ada.device("will")
    will = f"{device['mqtt']['topic_prefix']}/st atus", b"offline"
    with pytest.raises(ConnectionError):
        line_of(roost, device, will)
    (found,) = eventually(lambda: not_taken(ada, device))
    assert "will" in found[1]

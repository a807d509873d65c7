"""What the embedded broker does not take: it is in its log, and on the device's page."""

from typing import Any

import pytest

from tests.real.harness import WAIT_S, DeviceClient, Person, Roost, eventually
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


def test_a_stranger_who_uses_its_client_id_raises_no_alarm(roost: Roost, ada: Person) -> None:
    """The broker reads the will before it knows who connects."""
    device = ada.device("victim", "n")
    login = device["mqtt"]["client_id"], "stranger", "wrong"
    for _ in range(5):
        with pytest.raises(ConnectionError):
            wire.connect("127.0.0.1", roost.mqtt_port, *login, ("a b", b"x"))
    found = eventually(lambda: not_taken(ada, device))
    assert all(why.startswith("before it logged in, ") for _, why in found)
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/n", b"1")
    eventually(lambda: ada.values(device["feeds"]["n"]))
    assert ada.get("/alarms", device_id=device["id"])["items"] == []
    client.close()


def test_a_message_that_is_too_large_for_the_broker_is_told(roost: Roost, ada: Person) -> None:
    device = ada.device("large", "n")
    for times in range(1, 4):
        client = DeviceClient(roost, device["mqtt"])
        client.client.publish(f"{client.prefix}/feeds/n", bytes(9 << 20), 0)
        assert client.lost.wait(WAIT_S)
        client.close()
        eventually(lambda: not_taken(ada, device), lambda items: len(items) == times)  # noqa: B023
    assert "bytes; the maximum is 8,388,608" in not_taken(ada, device)[0][1]
    (alarm,) = eventually(lambda: ada.get("/alarms", device_id=device["id"])["items"])
    assert alarm["kind"] == "loop"


def test_a_filter_with_a_space_is_denied_and_told(roost: Roost, ada: Person) -> None:
    device = ada.device("filter")
    client = DeviceClient(roost, device["mqtt"])
    client.subscribe("living room/#")
    ((topic, why),) = eventually(lambda: not_taken(ada, device))
    assert (topic, "filter" in why) == (f"{client.prefix}/living room/#", True)
    client.close()


def test_a_space_in_the_topic_of_a_will_is_told_too(roost: Roost, ada: Person) -> None:
    device = ada.device("will")
    will = f"{device['mqtt']['topic_prefix']}/st atus", b"offline"
    with pytest.raises(ConnectionError):
        line_of(roost, device, will)
    (found,) = eventually(lambda: not_taken(ada, device))
    assert "will" in found[1]

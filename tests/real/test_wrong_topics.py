"""A message on a wrong topic of a device is refused, kept and told; nothing vanishes."""

import json
from pathlib import Path

import pytest

from tests.real.harness import WAIT_S, DeviceClient, Person, Roost, eventually
from tests.real.test_serve import External, servers
from tests.support import wire

WRONG = (
    *("feeds/temperature/", "feeds/kitchen/temperature", "feeds//n", "feeds/n/x/y", "telemetry"),
    *("Status", "LWT", "tele/SENSOR", "status/", "commands/x", "commands/x/y/z", ""),
)


def refused(person: Person, prefix: str) -> list[str]:
    """What is kept as refused for its topic: the levels below the device's prefix."""
    items = [each for each in person.rejected() if each["reason"] == "bad_topic"]
    return sorted(each["topic"].removeprefix(prefix).removeprefix("/") for each in items)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_wrong_topic_is_refused_kept_and_told(roost: Roost, ada: Person, qos: int) -> None:
    ada.call("DELETE", "/rejected-messages")
    device = ada.device(f"wrong-{qos}", "n")
    client = DeviceClient(roost, device["mqtt"])
    client.subscribe("#")
    for tail in WRONG:
        topic = f"{client.prefix}/{tail}" if tail else client.prefix
        client.client.publish(topic, b"21.5", qos).wait_for_publish(WAIT_S)
    client.publish("feeds/n", b"1")
    eventually(lambda: refused(ada, client.prefix), lambda found: found == sorted(WRONG))
    told: list[dict[str, str]] = []
    while not any(each["topic"].endswith("telemetry") for each in told):
        found = client.next()
        assert found is not None
        if found[0].endswith("/errors"):
            told.append(json.loads(found[1]))
    assert {each["reason"] for each in told} == {"bad_topic"}
    assert told[0]["detail"].endswith("use feeds/temperature")
    assert ada.get(f"/devices/{device['id']}")["status"] == "online"
    assert eventually(lambda: ada.values(device["feeds"]["n"]))[0] == 1
    client.close()


def test_a_device_cannot_publish_what_only_roost_says(roost: Roost, ada: Person) -> None:
    ada.call("DELETE", "/rejected-messages")
    device, other = ada.device("talks"), ada.device("listens")
    client, probe = DeviceClient(roost, device["mqtt"]), DeviceClient(roost, other["mqtt"])
    client.client.subscribe([(f"{client.prefix}/+", 1), (f"{client.prefix}/#", 0)])
    probe.subscribe("#")
    for tail in ("commands", "errors"):
        client.publish(tail, b"{}")
    client.publish("last", b"1")
    eventually(lambda: refused(ada, client.prefix), lambda found: found == ["last"])
    topics = set()
    while (found := client.next(1)) is not None:
        topics.add(found[0].removeprefix(client.prefix))
    assert topics == {"/last", "/errors"}  # its own message, and what Roost says about it
    assert probe.next(0.1) is None
    for each in (client, probe):
        each.close()


def test_commands_come_to_a_device_that_subscribes_to_everything_below_its_prefix(
    roost: Roost, ada: Person
) -> None:
    ada.call("DELETE", "/rejected-messages")
    device = ada.device("hears")
    client = DeviceClient(roost, device["mqtt"])
    client.subscribe("#")
    client.publish("status", {"status": "online"})
    command = ada.post(f"/devices/{device['id']}/commands", {"type": "beep", "payload": {}})
    found = client.next()
    assert found is not None and found[0] == f"{client.prefix}/commands"
    client.publish(f"commands/{command['id']}/ack", {"status": "succeeded"})
    eventually(lambda: ada.get(f"/commands/{command['id']}")["state"] == "succeeded")
    assert ada.rejected() == []
    client.close()


def test_a_wrong_topic_on_mosquitto_is_refused_too(tmp_path: Path) -> None:
    with servers(tmp_path) as (database, port):
        roost = External(tmp_path, database, port)
        roost.start()
        try:
            ada = roost.user()
            device = ada.device("d1", "n")
            prefix = device["mqtt"]["topic_prefix"]
            tails = (*WRONG, "feeds/living room", "feeds/n ")
            with wire.connect("127.0.0.1", port, "d1", "roost", "pw") as line:
                for tail in tails:
                    topic = f"{prefix}/{tail}" if tail else prefix
                    wire.publish_once(line, topic, b"21.5", 1, False)
                wire.publish_once(line, f"{prefix}/feeds", b'{"n": 1}', 1, False)
                wire.publish_once(line, f"{prefix}/feeds/n", b"2", 1, False)
                wire.publish_once(line, f"{prefix}/status", b'{"temperature": 3}', 1, False)
                wire.publish_once(line, f"{prefix}/commands", b"{}", 1, False)
            rejected = eventually(ada.rejected, lambda items: len(items) == len(tails))
            tops = {each["topic"].removeprefix(prefix).removeprefix("/") for each in rejected}
            assert tops == set(tails)
            assert {each["reason"] for each in rejected} == {"bad_topic", "bad_key"}
            eventually(lambda: ada.values(device["feeds"]["n"]), lambda values: values == [2, 1])
            assert ada.get(f"/devices/{device['id']}")["temperature"] == 3
        finally:
            roost.closing.close()
            assert roost.stop() == 0

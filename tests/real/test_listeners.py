"""MQTT listeners: they receive what their user's devices report, and can do nothing else."""

import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from queue import Empty
from typing import Any

import pytest

from tests.real.harness import DeviceClient, Person, Roost, eventually
from tests.real.test_boundaries import REFUSED


@pytest.fixture
def cleo(roost: Roost) -> Person:
    return roost.user("cleo")


class Ear(DeviceClient):
    """A listener's client, and all messages that it received."""

    def __init__(self, roost: Roost, login: Any, name: str = "-a", topic: str = "#") -> None:
        access = {**login, "client_id": login["username"] + name}
        super().__init__(roost, access)
        self._heard: list[tuple[str, bytes]] = []
        if self.code == "Success":
            subscribed = threading.Event()
            self.client.on_subscribe = lambda *about: subscribed.set()
            self.subscribe(topic)
            assert subscribed.wait(10)

    def told(self, tail: str) -> list[bytes]:
        """The payloads received on a topic below the prefix, in order."""
        try:
            while True:
                self._heard.append(self.heard.get_nowait())
        except Empty:
            return [p for t, p in self._heard if t == f"{self.prefix}/{tail}"]

    @property
    def topics(self) -> set[str]:
        self.told("")
        return {topic for topic, _ in self._heard}


@pytest.fixture
def home(cleo: Person) -> Iterator[Any]:
    made = cleo.device("shed", "t")
    yield made
    cleo.call("DELETE", f"/devices/{made['id']}?purge=true")


def test_a_listener_hears_readings_and_states(roost: Roost, cleo: Person, home: Any) -> None:
    device = DeviceClient(roost, home["mqtt"])
    device.publish("status", {"status": "online", "temperature": 3})
    eventually(lambda: cleo.get(f"/devices/{home['id']}")["temperature"])
    login = cleo.post("/mqtt-listener", {})
    ear = Ear(roost, login)
    # Retained: received although it was published before the listener subscribed.
    status = eventually(lambda: ear.told("devices/shed/status"))
    assert json.loads(status[-1])["temperature"] == 3
    for value in (21.5, "warm", 22.5):  # a refused reading is not published
        device.publish("feeds/t", {"value": value})
    said = eventually(lambda: ear.told("devices/shed/feeds/t"), lambda found: len(found) > 1)
    assert [json.loads(payload)["value"] for payload in said] == [21.5, 22.5]
    assert json.loads(said[0])["ts"].endswith("Z")
    device.publish("status", {"status": "offline"})
    eventually(lambda: b'"offline"' in ear.told("devices/shed/status")[-1])


def test_a_state_said_while_a_listener_subscribes_reaches_it(
    roost: Roost, cleo: Person, home: Any
) -> None:
    """The broker may deliver it neither live nor as retained; then Roost publishes it again."""
    device = DeviceClient(roost, home["mqtt"])
    login = cleo.post("/mqtt-listener", {})
    for n in range(60):
        ear = Ear(roost, login, topic="nothing")
        device.client.publish(f"{device.prefix}/status", json.dumps({"temperature": n}), 1)
        time.sleep(n % 20 / 2_000)  # both are under way, which is the point
        ear.subscribe("#")
        eventually(partial(_knows, ear, n))
        ear.close()


def _knows(ear: Ear, temperature: int) -> bool:
    told = ear.told("devices/shed/status")
    return bool(told) and json.loads(told[-1])["temperature"] == temperature


def test_home_assistant_finds_devices_and_forgets_them(
    roost: Roost, cleo: Person, home: Any
) -> None:
    login = cleo.post("/mqtt-listener", {"home_assistant": True})
    assert login["discovery_prefix"] == f"{login['topic_prefix']}/homeassistant"
    ear = Ear(roost, login, topic="homeassistant/#")
    config = "homeassistant/device/shed/config"
    first = eventually(lambda: ear.told(config))
    assert set(json.loads(first[-1])["components"]) == {"feed_t"}
    cleo.post("/feeds", {"key": "door", "name": "Door", "kind": "bool", "device_id": home["id"]})
    eventually(lambda: b"feed_door" in ear.told(config)[-1])
    cleo.call("DELETE", f"/devices/{home['id']}?purge=true")
    eventually(lambda: ear.told(config)[-1] == b"")


def test_a_listener_publishes_nothing_and_hears_nobody_else(
    roost: Roost, cleo: Person, home: Any
) -> None:
    other = roost.user("dora")
    theirs = other.device("shed", "t")
    other.post("/mqtt-listener", {})
    login = cleo.post("/mqtt-listener", {})
    mine, foreign = DeviceClient(roost, home["mqtt"]), DeviceClient(roost, theirs["mqtt"])
    for n, topic in enumerate((f"live/{other.id}/#", "#", f"users/{cleo.id}/devices/#")):
        spy = Ear(roost, login, f"-{n}", topic="nothing")
        spy.client.subscribe(topic, 1)
        foreign.publish("feeds/t", {"value": 5})
        spy.client.publish(f"users/{cleo.id}/devices/shed/feeds/t", b'{"value": 99}', 1)
        spy.client.publish(f"live/{cleo.id}/devices/shed/feeds/t", b'{"value": 99}', 0)
        cleo.post(f"/devices/{home['id']}/commands", {"type": "beep"})
        ear = Ear(roost, login, f"-ear-{n}")
        mine.publish("feeds/t", {"value": n})
        said = eventually(partial(ear.told, "devices/shed/feeds/t"))
        assert [json.loads(payload)["value"] for payload in said] == [n]
        assert all(each.startswith(f"live/{cleo.id}/") for each in spy.topics | ear.topics)
        ear.close()
        spy.close()
    # Listeners receive a reading before it is committed.
    values = eventually(lambda: cleo.values(home["feeds"]["t"]), lambda found: len(found) > 2)
    assert sorted(values) == [0, 1, 2]


def test_an_old_login_and_a_wrong_client_id_do_not_come_in(roost: Roost, cleo: Person) -> None:
    old = cleo.post("/mqtt-listener", {})
    ear = Ear(roost, old)
    assert ear.code == "Success"
    new = cleo.post("/mqtt-listener", {})
    assert ear.lost.wait(10)
    assert Ear(roost, old).code in REFUSED
    assert Ear(roost, {**new, "password": "guess"}).code in REFUSED
    stranger = DeviceClient(roost, {**new, "client_id": "another"})
    assert stranger.code in REFUSED
    assert Ear(roost, new, "").code == "Success"
    assert cleo.call("DELETE", "/mqtt-listener").status_code == 204
    assert cleo.call("GET", "/mqtt-listener").status_code == 404
    assert cleo.call("DELETE", "/mqtt-listener").status_code == 404
    assert Ear(roost, new, "-b").code in REFUSED

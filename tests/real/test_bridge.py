"""A Mosquitto with the lines of `POST /mqtt-listener`: its clients speak MQTT 5."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from roost.settings import free_port
from tests.conftest import needs
from tests.real.harness import WAIT_S, DeviceClient, Person, Roost


@pytest.fixture
def bridged(roost: Roost, ada: Person, tmp_path: Path) -> Iterator[int]:
    """The port of a Mosquitto with a bridge to Roost for this user."""
    port = free_port("127.0.0.1")
    made = ada.post("/mqtt-listener", {"home_assistant": True})
    config = tmp_path / "mosquitto.conf"
    head = f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n"
    config.write_text(head + made["mosquitto_bridge"])
    with (tmp_path / "log").open("wb") as log:
        command = [needs("mosquitto"), "-v", "-c", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield port
    process.terminate()
    process.wait(WAIT_S)


def test_home_assistant_hears_of_readings_over_mqtt_5(
    roost: Roost, ada: Person, bridged: int
) -> None:
    device = ada.device("shed", "temperature")
    access = device["mqtt"]
    assert access["version"] == "3.1.1"
    heard: Queue[tuple[str, bytes, bool]] = Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "home-assistant", protocol=mqtt.MQTTv5)
    client.on_message = lambda c, u, m: heard.put((m.topic, bytes(m.payload), m.retain))
    client.on_connect = lambda c, u, f, code, p: c.subscribe(f"live/{ada.id}/#", 1)
    for _ in range(int(WAIT_S / 0.1)):
        try:
            client.connect("127.0.0.1", bridged)
            break
        except OSError:
            pass
    client.loop_start()
    try:
        shed = DeviceClient(roost, access)
        status = f"live/{ada.id}/devices/shed/status"
        reading = f"live/{ada.id}/devices/shed/feeds/temperature"
        found: dict[str, bytes] = {}
        shed.publish("status", "online")
        while not {status, f"live/{ada.id}/homeassistant/device/shed/config"} <= set(found):
            topic, payload, _ = heard.get(timeout=WAIT_S)
            found[topic] = payload
        shed.publish("feeds/temperature", 21.5)
        while reading not in found:
            topic, payload, _ = heard.get(timeout=WAIT_S)
            found[topic] = payload
        assert json.loads(found[reading])["value"] == 21.5
    finally:
        client.disconnect()
        client.loop_stop()
        client._reset_sockets()
        shed.close()


def test_a_client_that_speaks_mqtt_5_to_roost_is_told_the_version(
    roost: Roost, ada: Person
) -> None:
    login = ada.post("/mqtt-listener", {})
    codes: Queue[str] = Queue()
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        login["username"],
        protocol=mqtt.MQTTv5,
        reconnect_on_failure=False,
    )
    client.username_pw_set(login["username"], login["password"])
    client.on_connect = lambda c, u, f, code, p: codes.put(str(code))
    client.on_disconnect = lambda c, u, f, code, p: codes.put("cut")
    client.connect("127.0.0.1", roost.mqtt_port)
    client.loop_start()
    assert codes.get(timeout=WAIT_S) in ("Unsupported protocol version", "cut")
    client.loop_stop()
    client._reset_sockets()

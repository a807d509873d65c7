"""Devices that send more than they may, on a small scale (`docs/security.md`, "Floods")."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.real.harness import WAIT_S, DeviceClient, Person, Roost, eventually, running
from tests.support import wire

# A device is a flood at ten times its rate: here a thousand messages in five seconds.
RATE, BURST, RETRY_S = 20, 300, 3
BACKLOG = 10_000


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roost]:
    options = ("--device-messages-per-s", str(RATE), "--device-messages-burst", str(BURST))
    retry = ("--flood-retry-after-s", str(RETRY_S))
    with running(tmp_path_factory.mktemp("roost"), *options, *retry) as service:
        yield service


def messages(device: dict[str, Any], many: int) -> list[tuple[str, bytes]]:
    topic = f"{device['mqtt']['topic_prefix']}/feeds/t"
    return [(topic, b'{"value":%d,"id":"%d"}' % (n, n)) for n in range(many)]


def connect(roost: Roost, device: dict[str, Any]) -> Any:
    access = device["mqtt"]
    login = (access["client_id"], access["username"], access["password"])
    return wire.connect("127.0.0.1", roost.mqtt_port, *login)


def account(person: Person, device: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = person.get(f"/devices/{device['id']}/account")
    return found


def metric(roost: Roost, line: str) -> float:
    page = httpx.get(roost.url + "/metrics").text
    return next(float(each.split()[-1]) for each in page.splitlines() if each.startswith(line))


def test_a_device_that_floods_is_disconnected_and_told_why_and_others_go_on(
    limited: Roost,
) -> None:
    """It once filled its partition's session, and others' messages arrived minutes late."""
    eve, bob = limited.user("eve"), limited.user("bob")
    flood, quiet = eve.device("flood", "t"), bob.device("quiet", "t")
    client = DeviceClient(limited, quiet["mqtt"])
    with connect(limited, flood) as line, pytest.raises(OSError):
        wire.publish_all(line, (each for _ in range(100) for each in messages(flood, 2_000)))
    found = eventually(lambda: eve.get(f"/devices/{flood['id']}")["flood"])
    assert found["reason"] == "too_fast"
    assert found["messages_per_s"] >= 10 * RATE
    with pytest.raises(ConnectionError):
        connect(limited, flood)
    assert '"device floods"' in limited.log
    client.publish("feeds/t", {"value": 1})
    eventually(lambda: bob.values(quiet["feeds"]["t"]), lambda values: values == [1])
    assert bob.get(f"/devices/{quiet['id']}")["flood"] is None

    def is_in() -> bool:
        try:
            connect(limited, flood).close()
        except ConnectionError:
            return False
        return True

    eventually(is_in)
    counted = eventually(lambda: account(eve, flood), lambda each: each["in_flight"] == 0)
    assert counted["stored"] + counted["limited"] + counted["duplicate"] == counted["received"]
    assert counted["limited"] > 0
    assert not eve.rejected()  # counted, not kept


def test_above_the_rate_qos_1_is_refused_and_told_and_qos_0_shed(limited: Roost) -> None:
    eve = limited.user("eve")
    fast = eve.device("fast", "t")
    device = DeviceClient(limited, fast["mqtt"])
    device.subscribe("errors")
    for n in range(2 * BURST):  # less than ten times the rate for five seconds
        sent = device.client.publish(f"{device.prefix}/feeds/t", b'{"value":%d}' % n, 1)
    sent.wait_for_publish(WAIT_S)
    heard = device.next()
    assert heard is not None
    said = json.loads(heard[1])
    assert said["reason"] == "too_fast"
    assert said["retry_after_s"] >= 1
    assert said["refused"] >= 1
    assert said["topic"].endswith("/devices/fast/feeds/t")
    for n in range(BURST):
        device.publish("feeds/t", {"value": n}, qos=0)
    counted = eventually(lambda: account(eve, fast), lambda each: each["shed"] > 0)
    assert counted["limited"] > 0
    assert metric(limited, 'roost_mqtt_over_rate_total{qos="1"}') >= counted["limited"]
    assert metric(limited, 'roost_mqtt_over_rate_total{qos="0"}') >= counted["shed"]


def test_by_default_ten_thousand_readings_at_once_are_all_stored(roost: Roost, ada: Person) -> None:
    """As of a device that was offline for hours."""
    device = ada.device("backlog", "t")
    with connect(roost, device) as line:
        assert wire.publish_all(line, messages(device, BACKLOG)) == BACKLOG
    counted = eventually(lambda: account(ada, device), lambda each: each["stored"] == BACKLOG)
    assert counted["limited"] == counted["refused"] == 0
    assert ada.get(f"/devices/{device['id']}")["flood"] is None

"""Retained messages of devices: filling a partition's subscription, on a small scale."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
import trio
import trio_asyncio

from actors.adapters.nats.retained import STREAM
from protocol import codec
from protocol.device.topics import partition, prefix
from roost.embedded import data_dir
from roost.embedded.broker import EmbeddedBroker
from roost.embedded.broker_config import PARTITIONS
from tests.real.harness import DeviceClient, Person, Roost, eventually, running
from tests.real.test_serve import External, servers, serving
from tests.support import wire

ONLINE = b'{"status": "online"}'
LARGE = b"x" * (7 << 20)
# Together more than nats-server queues for a client (64 MB).
MANY = 10


def asked(data: Path, url: str, subject: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer of JetStream to a request."""

    async def ask() -> dict[str, Any]:
        secrets = data_dir.read_secrets(data)
        connection = await nats.connect(url, user="auth", password=secrets.nats_auth)
        try:
            answer = await connection.request(f"$JS.API.{subject}", codec.encode(body), timeout=5)
            found: dict[str, Any] = codec.decode(answer.data)
            return found
        finally:
            await connection.close()

    async def in_trio() -> dict[str, Any]:
        async with trio_asyncio.open_loop() as loop:
            found: dict[str, Any] = await loop.run_aio_coroutine(ask())
            return found

    return trio.run(in_trio)


def retained(roost: Roost, device: dict[str, Any]) -> list[str]:
    """The topics of a device that have a retained message."""
    config = (roost.data_dir / "broker" / "nats.conf").read_text()
    port = re.search(r"^port: (\d+)", config, re.MULTILINE)
    assert port is not None
    found = asked(
        roost.data_dir,
        f"nats://127.0.0.1:{port[1]}",
        f"STREAM.INFO.{STREAM}",
        {"subjects_filter": "$MQTT.rmsgs.>"},
    )
    place = device["mqtt"]["topic_prefix"].replace("/", ".")
    subjects = found["state"].get("subjects") or {}
    return sorted(each.partition(place + ".")[2] for each in subjects if place in each)


@contextmanager
def broker_alone(data: Path) -> Iterator[EmbeddedBroker]:
    """The embedded broker without Roost, on Roost's data."""
    server = EmbeddedBroker(
        data / "broker", data / "broker.log", "127.0.0.1", 0, data_dir.read_secrets(data)
    )
    process = trio.run(server.start)
    try:
        yield server
    finally:
        process.terminate()
        process.wait(10)


def beside(person: Person, code: str) -> str:
    """The code of another device in the same partition."""
    k = partition(person.id, code, PARTITIONS)
    return next(f"o{n}" for n in range(1_000) if partition(person.id, f"o{n}", PARTITIONS) == k)


def test_a_start_on_more_than_a_subscription_may_bring_serves_everybody(begun: Path) -> None:
    """The partition once connected, was closed before anything arrived, and connected again."""
    with running(begun) as roost:
        ada = roost.user()
        device, other = ada.device("filler", "k0"), ada.device(beside(ada, "filler"), "t")
        place = device["mqtt"]["topic_prefix"]
        assert roost.stop() == 0
        with broker_alone(roost.data_dir) as server:
            # The state that was possible before there were limits.
            url = server.access.url
            info = asked(roost.data_dir, url, f"STREAM.INFO.{STREAM}", {})
            config = {**info["config"], "max_msg_size": -1, "max_bytes": -1, "discard": "old"}
            asked(roost.data_dir, url, f"STREAM.UPDATE.{STREAM}", config)
            login = ("filler", "roost", data_dir.read_secrets(roost.data_dir).mqtt)
            with wire.connect("127.0.0.1", server.port, *login) as line:
                for n in range(MANY):
                    wire.publish_once(line, f"{place}/feeds/k{n}", LARGE, 0, True)
                wire.publish_once(line, f"{place}/status", ONLINE, 1, True)
        roost.start()
        client = DeviceClient(roost, other["mqtt"])
        client.publish("feeds/t", b"1")
        eventually(lambda: ada.values(other["feeds"]["t"]), lambda found: found == [1])
        assert retained(roost, device) == ["status"]
        assert "session disconnected" not in roost.log.rpartition('"stopping"')[2]


@pytest.fixture(scope="module")
def roost(own_roost: Roost) -> Roost:
    return own_roost


def test_readings_leave_when_they_were_taken_and_large_ones_are_never_kept(
    roost: Roost, ada: Person
) -> None:
    device = ada.device("retains", "t")
    client = DeviceClient(roost, device["mqtt"])
    client.subscribe("errors")
    client.publish("status", {"status": "online", "firmware": "1.0"}, retain=True)
    client.publish("feeds/t", b"21.5", retain=True)
    client.publish("feeds/t", b"22.5", qos=0, retain=True)
    client.publish("feeds/none", b"1", retain=True)
    client.publish("commands/none/ack", {"status": "succeeded"}, retain=True)
    client.publish("feeds/t", b"[" + LARGE, retain=True)  # refused, and stored as refused
    eventually(lambda: retained(roost, device), lambda found: found == ["status"])
    large = [each for each in ada.rejected() if each["reason"] == "too_large"]
    assert len(large) == 1
    values = ada.values(device["feeds"]["t"])
    assert sorted(values) == [21.5, 22.5]
    # A status that cannot be decoded is cleared.
    client.publish("status", b'{"x": "' + b"x" * 100_000 + b'"}', retain=True)
    eventually(lambda: retained(roost, device), lambda found: found == [])
    told = []
    while (heard := client.next(0.5)) is not None:
        told.append(json.loads(heard[1])["detail"])
    assert any("cleared from the broker" in each for each in told), told


def test_with_a_device_goes_what_it_has_retained(roost: Roost, ada: Person) -> None:
    device = ada.device("leaves", "t")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("status", {"status": "online"}, retain=True)
    eventually(lambda: retained(roost, device), lambda found: found == ["status"])
    assert ada.call("DELETE", f"/devices/{device['id']}").status_code == 204
    eventually(lambda: retained(roost, device), lambda found: found == [])


def seen(service: External, topics: str) -> dict[str, int]:
    """The retained messages that a subscriber on Mosquitto receives: sizes by topic."""
    line = wire.connect("127.0.0.1", service.mqtt_port, "somebody", "roost", "pw")
    with line:
        data = wire.subscribe(line, [topics], 0)[1:]  # after the SUBACK
        line.settimeout(0.5)
        try:
            while more := line.recv(1 << 20):
                data += more
        except TimeoutError:
            pass
    found, at = {}, 0
    while at < len(data):
        size, shift, at = 0, 0, at + 1
        while True:
            size |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not data[at - 1] & 0x80:
                break
        name = int.from_bytes(data[at : at + 2], "big")
        found[data[at + 2 : at + 2 + name].decode()] = size - 2 - name
        at += size
    return found


def test_on_mosquitto_others_keep_what_they_see_within_the_bounds(tmp_path: Path) -> None:
    with servers(tmp_path) as places, serving(service := External(tmp_path, *places)):
        ada = service.user()
        device = ada.device("d", "t")
        place = prefix(ada.id, "d")
        with wire.connect("127.0.0.1", service.mqtt_port, "device-d", "roost", "pw") as line:
            wire.publish_once(line, f"{place}/feeds/t", b"1", 1, True)
            wire.publish_once(line, f"{place}/status", ONLINE, 1, True)
            wire.publish_once(line, f"{place}/feeds/large", b"x" * 100_000, 1, True)
            wire.publish_once(line, f"{place}/else/where", b"x", 1, True)
        eventually(lambda: ada.values(device["feeds"]["t"]), lambda found: found == [1])
        service.kill()
        service.start()  # its subscriptions deliver the retained messages
        kept = {f"{place}/feeds/t": 1, f"{place}/status": len(ONLINE), f"{place}/else/where": 1}
        eventually(lambda: seen(service, f"{place}/#"), lambda found: found == kept)
        with wire.connect("127.0.0.1", service.mqtt_port, "device-d", "roost", "pw") as line:
            wire.publish_once(line, f"{place}/feeds/t", b"2", 1, False)
            wire.publish_once(line, f"{place}/status", ONLINE, 1, True)
        eventually(lambda: ada.values(device["feeds"]["t"]), lambda found: 2 in found)
        # Roost's own clearing came back before that, and must not be stored as a refusal.
        refused = [(each["topic"], each["reason"], each["payload"][:9]) for each in ada.rejected()]
        assert {reason for _, reason, _ in refused} == {"too_large", "bad_topic"}, refused
        assert ada.call("DELETE", f"/devices/{device['id']}").status_code == 204
        eventually(lambda: seen(service, f"{place}/#"), lambda found: found == {})

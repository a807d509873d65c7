"""A device is limited to its own topics, client id and credentials."""

from pathlib import Path
from typing import Any

import pytest

from tests.real.harness import DeviceClient, Person, Roost, eventually

REFUSED = ("Not authorized", "Bad user name or password")


@pytest.fixture(scope="module")
def one(ada: Person) -> dict[str, Any]:
    return ada.device("one", "t")


@pytest.fixture(scope="module")
def two(bob: Person) -> dict[str, Any]:
    return bob.device("two", "t")


@pytest.mark.parametrize(
    "override",
    [
        {"password": "wrong"},
        {"username": "device-00000000-0000-4000-8000-000000000000"},
        {"client_id": "another"},
        {"client_id": "roost-part-0"},
        {"username": "", "password": ""},
        {"username": "roost", "password": "roost"},
        {"username": "auth", "password": "auth"},
        {"username": "sys", "password": ""},
    ],
)
def test_a_login_with_anything_wrong_is_refused(
    roost: Roost, one: dict[str, Any], override: dict[str, str]
) -> None:
    client = DeviceClient(roost, one["mqtt"], override=override)
    assert client.code in REFUSED
    client.close()


def test_a_device_cannot_take_over_the_session_of_another(
    roost: Roost, one: dict[str, Any], two: dict[str, Any]
) -> None:
    victim = DeviceClient(roost, two["mqtt"])
    thief = DeviceClient(roost, one["mqtt"], override={"client_id": two["mqtt"]["client_id"]})
    assert thief.code in REFUSED
    assert not victim.lost.wait(0.5)
    victim.close()
    thief.close()


def test_a_device_cannot_publish_for_another(
    roost: Roost, bob: Person, one: dict[str, Any], two: dict[str, Any]
) -> None:
    client = DeviceClient(roost, one["mqtt"])
    assert client.code == "Success"
    victim = two["mqtt"]["topic_prefix"]
    for prefix in ("", "part/0/", "part/1/", "part/2/", "part/3/", "state/0/"):
        for tail in ("feeds/t", "status"):
            topic = f"{prefix}{victim}/{tail}"
            client.client.publish(topic, b'{"value": 666, "status": "x"}', 1)
    client.publish("feeds/t", b"1")
    probe = DeviceClient(roost, two["mqtt"])
    probe.publish("feeds/t", b"2")
    eventually(lambda: bob.values(two["feeds"]["t"]), lambda values: values[:1] == [2])
    assert bob.values(two["feeds"]["t"]) == [2]
    assert bob.get(f"/devices/{two['id']}")["status"] == "online"
    client.close()
    probe.close()


def test_a_device_hears_nothing_of_others(
    roost: Roost, one: dict[str, Any], two: dict[str, Any]
) -> None:
    client = DeviceClient(roost, one["mqtt"])
    victim = two["mqtt"]["topic_prefix"]
    wishes = ("#", "+/#", f"{victim}/#", f"{victim}/errors", "part/#", "$SYS/#")
    for topic in (*wishes, "users/+/devices/+/errors"):
        client.client.subscribe(topic, 1)
    other = DeviceClient(roost, two["mqtt"])
    other.publish("feeds/t", b"not json")
    other.publish("status", {"status": "online"})
    assert client.next(1) is None
    client.close()
    other.close()


def test_new_credentials_close_the_old_connection_and_only_they_work(
    roost: Roost, bob: Person
) -> None:
    device = bob.device("rotated", "t")
    client = DeviceClient(roost, device["mqtt"])
    fresh = bob.post(f"/devices/{device['id']}/credentials")["mqtt"]
    assert client.lost.wait(5)
    client.close()
    old = DeviceClient(roost, device["mqtt"])
    assert old.code in REFUSED
    old.close()
    new = DeviceClient(roost, fresh)
    assert new.code == "Success"
    new.close()


def test_deleting_a_device_closes_its_connection_at_once(roost: Roost, bob: Person) -> None:
    device = bob.device("deleted", "t")
    client = DeviceClient(roost, device["mqtt"])
    assert bob.call("DELETE", f"/devices/{device['id']}").status_code == 204
    assert client.lost.wait(5)
    client.close()
    again = DeviceClient(roost, device["mqtt"])
    assert again.code in REFUSED
    again.close()


def test_nothing_is_open_beyond_this_machine(roost: Roost) -> None:
    assert roost.process is not None
    pids = (roost.process.pid, roost.pid_of("nats-server"), roost.pid_of("postgres"))
    inodes = {inode for pid in pids for inode in sockets_of(pid)}
    ours = [address for inode, address in listening().items() if inode in inodes]
    assert len(ours) == 3  # HTTP, MQTT, and the broker's NATS port; PostgreSQL has no port
    assert set(ours) == {"0100007F"}, ours  # 127.0.0.1, as in /proc/net/tcp


def sockets_of(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = str(link.readlink())
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def listening() -> dict[str, str]:
    """Addresses (hexadecimal) of listening TCP sockets, by inode (proc(5), /proc/net/tcp)."""
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                found[fields[9]] = fields[1].partition(":")[0]
    return found

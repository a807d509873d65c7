"""One user's listeners and devices try to use up the broker's subscriptions and sessions.

On a small scale: few are admitted, they are deleted with their login, and others are served
(`docs/security.md`)."""

import asyncio
import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nats
import pytest

from actors.adapters.nats.client_ids import CLIENT_IDS_MAX
from actors.adapters.nats.mqtt_sessions import hash_of
from tests.real.harness import DeviceClient, Person, Roost, eventually, running
from tests.real.test_abuse import serves_others
from tests.support import wire

# How many QoS 1 subscriptions the server grants to one client.
SUBSCRIPTIONS = 6
OURS = 22  # Roost's own: two per session of a partition, four of `roost-wills`, two of others


@pytest.fixture(scope="module")
def roost(own_roost: Roost) -> Roost:
    return own_roost


@pytest.fixture
def mallory(roost: Roost) -> Person:
    return roost.user("mallory")


@pytest.fixture
def lines() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def consumers(roost: Roost) -> list[str]:
    """The number of all QoS 1 subscriptions at the broker."""
    port = re.findall(r"^port: (\d+)", (roost.data_dir / "broker" / "nats.conf").read_text(), re.M)
    password = json.loads((roost.data_dir / "secrets.json").read_text())["nats_auth"]

    async def ask() -> list[str]:
        url = f"nats://127.0.0.1:{port[0]}"
        connection = await nats.connect(url, user="auth", password=password)
        try:
            answer = await connection.request("$JS.API.CONSUMER.NAMES.$MQTT_msgs", b"", timeout=5)
            return list(json.loads(answer.data)["consumers"])
        finally:
            await connection.close()

    return asyncio.run(ask())


def comes_in(
    roost: Roost, login: dict[str, Any], client_id: str, *, clean: bool
) -> socket.socket | None:
    name, password = login["username"], login["password"]
    try:
        return wire.connect("127.0.0.1", roost.mqtt_port, client_id, name, password, clean=clean)
    except ConnectionError:
        return None


def crowd(roost: Roost, login: dict[str, Any], lines: ExitStack, *, clean: bool, many: int) -> int:
    """Connect clients of one listener, which subscribe to all they may; how many were admitted."""
    here = 0
    for n in range(many):
        line = comes_in(roost, login, f"{login['username']}-{time.monotonic_ns()}", clean=clean)
        if line is not None:
            lines.enter_context(line)
            topics = [f"{login['topic_prefix']}/{n}/{each}" for each in range(SUBSCRIPTIONS + 2)]
            assert wire.subscribe(line, topics, 1).count(1) == SUBSCRIPTIONS
            here += 1
    return here


def test_few_clients_of_a_listener_come_in_and_all_is_gone_with_it(
    roost: Roost, mallory: Person, lines: ExitStack
) -> None:
    """A listener once made 16,384 subscriptions; others got none, even after its deletion."""
    first = mallory.post("/mqtt-listener", {})
    assert crowd(roost, first, lines, clean=False, many=CLIENT_IDS_MAX + 5) == CLIENT_IDS_MAX
    assert len(consumers(roost)) == OURS + CLIENT_IDS_MAX * SUBSCRIPTIONS
    lines.close()
    # Their sessions are kept and count, also after a restart.
    assert roost.stop() == 0
    roost.start()
    assert crowd(roost, first, lines, clean=False, many=2) == 0
    second = mallory.post("/mqtt-listener", {})
    eventually(lambda: len(consumers(roost)), lambda found: found == OURS)
    assert crowd(roost, second, lines, clean=False, many=3) == 3
    assert mallory.call("DELETE", "/mqtt-listener").status_code == 204
    eventually(lambda: len(consumers(roost)), lambda found: found == OURS)
    assert crowd(roost, second, lines, clean=False, many=1) == 0
    serves_others(roost, "beside-mallory")


def test_a_clean_session_counts_nothing_once_its_client_is_gone(
    roost: Roost, mallory: Person, lines: ExitStack
) -> None:
    login = mallory.post("/mqtt-listener", {})
    assert crowd(roost, login, lines, clean=True, many=CLIENT_IDS_MAX + 2) == CLIENT_IDS_MAX
    lines.close()  # a client that just connected counts a little longer
    eventually(lambda: len(consumers(roost)), lambda found: found == OURS)
    assert eventually(lambda: crowd(roost, login, lines, clean=True, many=1))


def test_what_a_device_subscribed_to_goes_with_it_and_others_keep_theirs(
    roost: Roost, mallory: Person, lines: ExitStack
) -> None:
    devices = [mallory.device(code, "t") for code in ("kept", "gone")]
    for device in devices:
        access = device["mqtt"]
        line = comes_in(roost, access, access["client_id"], clean=False)
        assert line is not None
        lines.enter_context(line)
        topics = [f"{access['topic_prefix']}/{each}" for each in ("commands", "errors")]
        elsewhere = ["#", f"{access['topic_prefix']}x/#"]
        assert wire.subscribe(line, topics + elsewhere, 1) == b"\x01\x01\x80\x80"
    lines.close()
    kept, gone = (hash_of(device["mqtt"]["client_id"]) for device in devices)

    def of(name: str) -> int:
        return sum(each.startswith(name) for each in consumers(roost))

    assert (of(kept), of(gone)) == (2, 2)
    assert mallory.call("DELETE", f"/devices/{devices[1]['id']}").status_code == 204
    assert (of(kept), of(gone)) == (2, 0)
    mallory.post(f"/devices/{devices[0]['id']}/commands", {"type": "beep"})
    client = DeviceClient(roost, devices[0]["mqtt"])
    assert client.code == "Success"


SHARE = 20  # per user: enough for ten devices


def listens(roost: Roost, access: dict[str, Any], lines: ExitStack) -> bytes | None:
    """The granted QoS of its subscriptions; None: the login was refused."""
    login = (access["username"], access["password"], access["client_id"])
    try:
        line = wire.connect("127.0.0.1", roost.mqtt_port, login[2], *login[:2], clean=False)
    except ConnectionError:
        return None
    lines.enter_context(line)
    topics = [f"{access['topic_prefix']}/{each}" for each in ("commands", "errors")]
    return wire.subscribe(line, topics, 1)


def test_the_devices_of_one_user_leave_most_of_the_subscriptions_to_others(
    begun: Path, lines: ExitStack
) -> None:
    """With two subscriptions each, 8,192 devices once used up all that the broker has."""
    with running(begun, "--mqtt-subscriptions-of-user", str(SHARE)) as roost:
        mallory, bob = roost.user("mallory"), roost.user("bob")
        devices = [mallory.device(f"d{n}", "t")["mqtt"] for n in range(3 * SHARE)]
        first, later = devices[: SHARE // 2], devices[SHARE // 2 :]
        assert {listens(roost, each, lines) for each in first} == {b"\x01\x01"}
        for each in later:
            listens(roost, each, lines)
        eventually(lambda: len(consumers(roost)), lambda found: found == OURS + SHARE)
        names = " ".join(consumers(roost))
        assert all(hash_of(each["client_id"]) in names for each in first)  # the newest were closed
        told = "a user has too many subscriptions with QoS 1: the newest are closed"
        assert mallory.id in next(line for line in roost.log.splitlines() if told in line)
        assert [listens(roost, each, lines) for each in later[:3]] == [None] * 3

        quiet = mallory.device("quiet", "t")["mqtt"]
        line = eventually(lambda: comes_in(roost, quiet, quiet["client_id"], clean=True))
        lines.enter_context(line)
        others = [bob.device(f"d{n}", "t")["mqtt"] for n in range(3)]
        assert {listens(roost, each, lines) for each in others} == {b"\x01\x01"}
        # The next check closes one too many; a client without QoS 1 subscriptions stays.
        over = mallory.device("over", "t")["mqtt"]
        eventually(lambda: listens(roost, over, lines), lambda answer: answer == b"\x01\x01")
        eventually(lambda: hash_of(over["client_id"]) not in " ".join(consumers(roost)))
        assert wire.subscribe(line, [f"{quiet['topic_prefix']}/commands"], 0) == b"\x00"
        lines.close()
        # Sessions whose clients are away count, also after a restart.
        assert roost.stop() == 0
        roost.start()
        for each in later[-5:]:
            listens(roost, each, lines)
        eventually(
            lambda: len(consumers(roost)), lambda found: found == OURS + SHARE + 2 * len(others)
        )
        names = " ".join(consumers(roost))
        assert all(hash_of(each["client_id"]) in names for each in [*first, *others])

        # Deleting a device frees its subscriptions.
        gone = mallory.get("/devices", limit=1)["items"][0]["id"]
        assert mallory.call("DELETE", f"/devices/{gone}").status_code == 204
        fresh = mallory.device("fresh", "t")["mqtt"]
        eventually(lambda: listens(roost, fresh, lines), lambda found: found == b"\x01\x01")
        serves_others(roost, "beside-devices")

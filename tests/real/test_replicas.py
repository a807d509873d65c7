"""Two processes on one database and one broker: everything happens once, whichever is killed."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.real.harness import DeviceClient, Person, eventually
from tests.real.test_media import upload
from tests.real.test_serve import External, publish, servers, serving
from tests.real.tunnel import tunnel
from tests.unit.samples import png

SCHEDULES = 60
EVERY_S = 0.3
FIRST_S = 4.0
GIVES_WAY_WITHIN_S = 40.0  # 15 s of silence, one check of the other process, one canary


class Player(threading.Thread):
    """A device that answers every command, and records it."""

    def __init__(self, roost: External, person: Person) -> None:
        super().__init__()
        self.heard: list[dict[str, Any]] = []
        self.is_over = threading.Event()
        access = {"client_id": "device-d", "username": "roost", "password": "pw"}
        prefix = f"users/{person.id}/devices/d"
        self._client = DeviceClient(roost, {**access, "topic_prefix": prefix})
        self._client.subscribe("commands")
        # Coming online makes all unanswered commands due at once; here there are none.
        self._client.publish("status", {"status": "online"})

    def run(self) -> None:
        while not self.is_over.is_set():
            message = self._client.next(0.1)
            if message is None:
                continue
            command = json.loads(message[1])
            self.heard.append(command)
            for status in ("delivered", "succeeded"):
                self._client.publish(f"commands/{command['id']}/ack", {"status": status})

    def times(self, kind: str) -> Counter[str]:
        """How often it received each command of a type, by id."""
        return Counter(command["id"] for command in self.heard if command["type"] == kind)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[External, External]]:
    with servers(tmp_path) as places:
        one, other = External(tmp_path, *places), External(tmp_path, *places)
        with serving(one, other):
            yield one, other


def plan(person: Person, device_id: str, since: datetime) -> list[str]:
    """Create schedules one after the other; returns their ids."""
    media_id = upload(person, png())["id"]
    made = []
    for n in range(SCHEDULES):
        due = since + timedelta(seconds=FIRST_S + n * EVERY_S)
        body = {"media_id": media_id, "device_id": device_id, "trigger_time": due.isoformat()}
        made.append(person.post("/media-schedules", body)["id"])
    return made


def played_at_least(player: Player, count: int) -> None:
    eventually(lambda: len(player.times("play_media")), lambda played: played >= count)


def order(person: Person, device_id: str, count: int) -> list[str]:
    path = f"/devices/{device_id}/commands"
    return [person.post(path, {"type": "beep", "ttl_s": 120})["id"] for _ in range(count)]


def completed(person: Person, schedule_id: str) -> list[dict[str, Any]]:
    """The occurrences of a schedule, once its last has been played."""
    path = f"/media-schedules/{schedule_id}/occurrences"
    found: list[dict[str, Any]] = eventually(
        lambda: person.get(path)["items"], lambda items: items[0]["state"] == "completed"
    )
    return found


def test_every_occurrence_fires_once_and_every_command_is_sent_by_one(
    pair: tuple[External, External],
) -> None:
    one, other = pair
    assert (one.is_standby, other.is_standby) == (False, True)
    ada = one.user()
    device = ada.device("d", "t")
    player = Player(one, ada)
    player.start()
    try:
        eventually(lambda: ada.get(f"/devices/{device['id']}")["status"], lambda s: s == "online")
        # While both run, nothing is sent twice.
        orders = order(ada, device["id"], 10) + order(other.user(), device["id"], 10)
        eventually(lambda: len(player.times("beep")), lambda n: n == len(orders))
        assert player.times("beep") == Counter(orders)

        schedules = plan(ada, device["id"], datetime.now(UTC))
        played_at_least(player, SCHEDULES // 4)
        one.kill()
        orders += order(other.user(), device["id"], 5)
        eventually(lambda: other.user().http.get(other.url + "/readyz").status_code == 200)
        one.start()
        assert one.is_standby
        played_at_least(player, SCHEDULES // 2)
        other.kill()
        orders += order(ada, device["id"], 5)
        other.start()

        # One after the other, because polling all of them would exceed the rate limit.
        occurrences = [completed(ada, each) for each in schedules]
        eventually(lambda: set(player.times("beep")), lambda heard: heard == set(orders))
        states = [ada.get(f"/commands/{each}")["state"] for each in orders]
        assert set(states) == {"succeeded"}
    finally:
        player.is_over.set()
        player.join()
    assert all(len(items) == 1 for items in occurrences)
    played = player.times("play_media")
    # One command per occurrence. After a kill the broker or Roost may send the same command
    # again (QoS 1), recognisable by its id; there is never a second command.
    assert sorted(played) == sorted(items[0]["command_id"] for items in occurrences)
    repeats = (played + player.times("beep")).total() - len(played) - len(orders)
    print(f"{SCHEDULES} occurrences, {len(orders)} commands, repeats at two kills: {repeats}")


def status_of(roost: External) -> str:
    return str(httpx.get(roost.url + "/readyz").json()["status"])


def is_ready(status: str) -> bool:
    return status == "ready"


def test_a_leader_that_the_broker_does_not_answer_gives_way(tmp_path: Path) -> None:
    """It once kept the lead for as long as the silence lasted, while the other stood by."""
    with servers(tmp_path) as (database_url, mqtt_port), tunnel(mqtt_port) as way:
        one = External(tmp_path, database_url, way.port)
        other = External(tmp_path, database_url, mqtt_port)
        with serving(one, other):
            assert (one.is_standby, other.is_standby) == (False, True)
            ada = other.user()
            device = ada.device("d", "t")
            publish(other, ada, 0, 10)
            feed = device["feeds"]["t"]
            eventually(lambda: ada.values(feed), lambda values: len(values) == 10)
            way.is_silent = True
            eventually(lambda: status_of(other), is_ready, GIVES_WAY_WITHIN_S)
            publish(other, ada, 10, 10)
            found = eventually(lambda: ada.values(feed), lambda values: len(values) >= 20)
            assert sorted(found) == list(range(20))
            assert "gives way" in one.log
            # It stays a standby, also when the broker answers again.
            way.is_silent = False
            other.kill()
            eventually(lambda: status_of(one), is_ready, GIVES_WAY_WITHIN_S)

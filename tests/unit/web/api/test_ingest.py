"""Devices that post over HTTP: the same judgement as over MQTT, and an answer after the commit."""

import base64
from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.mqtt.plans import plain_plans
from actors.ingest.counters import Counters
from actors.ingest.limits import Limits
from actors.ingest.rates import RateSettings
from protocol.device.payloads import PAYLOAD_BYTES_MAX
from protocol.device.topics import parse_topic
from tests.unit.site import Site

TEMPERATURE = {"key": "temperature", "name": "t", "min_value": -40, "max_value": 85}


class Sender:
    """A device without MQTT, with two feeds."""

    def __init__(self, site: Site, made: Any) -> None:
        self.site = site
        self.id: str = made["id"]
        self.mqtt = made["mqtt"]
        self.feed_id = ""

    async def furnish(self) -> "Sender":
        _, feed = await self.site.post("/feeds", {**TEMPERATURE, "device_id": self.id})
        self.feed_id = feed["id"]
        _, made = await self.site.post("/feeds", {"key": "door", "name": "d", "kind": "bool"})
        assert made["id"]
        return self

    async def send(self, path: str, body: Any, **login: str) -> tuple[int, Any]:
        name = login.get("username", self.mqtt["username"])
        word = base64.b64encode(f"{name}:{login.get('password', self.mqtt['password'])}".encode())
        headers = {"Authorization": f"Basic {word.decode()}", "x-auth-token": ""}
        given = {"data": body} if isinstance(body, bytes) else {"json": body}
        return await self.site.call("POST", f"/ingest/{path}", headers=headers, **given)

    async def values(self) -> list[Any]:
        _, page = await self.site.call("GET", f"/feed-values/{self.feed_id}")
        return [each["value"] for each in page["items"]]

    async def shown(self) -> Any:
        return (await self.site.call("GET", f"/devices/{self.id}"))[1]

    async def refused(self) -> list[tuple[str, str]]:
        _, page = await self.site.call("GET", "/rejected-messages")
        return [(each["reason"], each["payload"]) for each in page["items"]]


@pytest.fixture
async def sender(site: Site) -> Sender:
    return await Sender(site, await site.device("shed")).furnish()


async def test_a_reading_is_in_the_history_when_the_answer_comes(sender: Sender) -> None:
    status, said = await sender.send("feeds/temperature", {"value": 25.5})
    assert status == 200
    assert said == {
        "stored": 1,
        "duplicate": 0,
        "refused": 0,
        "readings": [{"key": "temperature", "outcome": "stored"}],
    }
    assert await sender.values() == [25.5]
    assert (await sender.shown())["status"] == "online"


@pytest.mark.parametrize("body", [b"25.5", b'{"value": "25.5"}', b'"25.5"'])
async def test_bodies_are_those_of_mqtt(sender: Sender, body: bytes) -> None:
    assert (await sender.send("feeds/temperature", body))[1]["stored"] == 1
    assert await sender.values() == [25.5]


async def test_each_of_several_readings_has_its_own_answer(sender: Sender) -> None:
    body = [
        {"ts": "2026-01-31T08:05:00Z", "values": {"temperature": 20, "wind": 3}},
        {"ts": "yesterday", "values": {"temperature": 21}},
        {"temperature": 99, "door": "on"},
        {"temperature": 22},
    ]
    status, said = await sender.send("feeds", body)
    assert status == 200
    told = [(each["key"], each.get("reason", "stored")) for each in said["readings"]]
    assert told == [
        ("temperature", "stored"),
        ("wind", "unknown_feed"),
        ("temperature", "bad_time"),
        ("temperature", "out_of_range"),
        ("door", "stored"),
        ("temperature", "stored"),
    ]
    assert (said["stored"], said["refused"], said["duplicate"]) == (3, 3, 0)
    assert len(await sender.refused()) == 3
    assert sorted(await sender.values()) == [20.0, 22.0]


async def test_a_reading_that_comes_again_is_stored_once_and_told_so(sender: Sender) -> None:
    body = {"value": 20, "ts": "2026-01-31T08:05:00Z"}
    await sender.send("feeds/temperature", body)
    status, said = await sender.send("feeds/temperature", body)
    assert (status, said["stored"], said["duplicate"]) == (200, 1, 1)
    assert await sender.values() == [20.0]


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("feeds/temperature", b"{", "not_json"),
        ("feeds/Temperature", b"1", "bad_key"),
        ("feeds", b"[]", "wrong_shape"),
        ("status", b"[1]", "wrong_shape"),
        ("feeds/temperature", b"1" * (PAYLOAD_BYTES_MAX + 1), "too_large"),
    ],
)
async def test_what_cannot_be_read_is_kept_with_its_reason(
    sender: Sender, path: str, body: bytes, reason: str
) -> None:
    status, said = await sender.send(path, body)
    assert (status, said["stored"], said["refused"]) == (200, 0, 1)
    assert said["readings"][0]["reason"] == reason
    assert [each[0] for each in await sender.refused()] == [reason]


async def test_a_status_sets_the_device_and_names_what_it_does_not_take(sender: Sender) -> None:
    status, said = await sender.send("status", {"firmware": "1.4", "latitude": 999})
    assert (status, said["refused"]) == (200, 1)
    assert said["readings"] == [
        {
            "key": "latitude",
            "outcome": "refused",
            "reason": "bad_value",
            "detail": "latitude is out of range: at most 90",
            "code": "said_beyond",
            "params": {"field": "latitude", "most": 90},
        }
    ]
    assert (await sender.shown())["firmware"] == "1.4"


@pytest.mark.parametrize(
    "login", [{"password": "wrong"}, {"username": "device-1"}, {"username": ""}]
)
async def test_only_the_devices_own_login_is_taken(sender: Sender, login: Any) -> None:
    status, problem = await sender.send("feeds/temperature", 1, **login)
    assert (status, problem["code"]) == (401, "device_login_invalid")
    assert await sender.values() == []


@pytest.mark.parametrize("header", ["", "Basic", "Basic ä", "Basic eA==", "Bearer x"])
async def test_no_login_and_half_a_login_are_a_401_that_says_basic(site: Site, header: str) -> None:
    answer = await site.raw(
        "POST", "/api/v1/ingest/status", data=b"online", headers={"Authorization": header}
    )
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


async def test_a_person_who_is_signed_in_is_no_device(site: Site) -> None:
    status, problem = await site.call("POST", "/ingest/status", data=b"online")
    assert (status, problem["code"]) == (401, "device_login_invalid")


async def test_an_unknown_parameter_is_told(sender: Sender) -> None:
    status, problem = await sender.send("feeds/temperature?ts=1", 1)
    assert (status, set(problem["errors"])) == (422, {"ts"})
    assert await sender.values() == []


async def test_new_credentials_end_the_old_ones(site: Site, sender: Sender) -> None:
    await site.post(f"/devices/{sender.id}/credentials", {})
    assert (await sender.send("status", b"online"))[0] == 401


async def test_it_is_never_another_devices_reading(site: Site, sender: Sender) -> None:
    other = Sender(site, await site.device("barn"))
    _, said = await other.send("feeds/temperature", 1)
    assert said["readings"][0]["reason"] == "unknown_feed"
    assert await sender.values() == []


@pytest.mark.parametrize("fate", ["middle", "answer"])
async def test_the_answer_waits_for_a_commit_that_holds(
    site: Site, sender: Sender, fate: str
) -> None:
    site.faults.commits.append(fate)
    status, said = await sender.send("feeds/temperature", 1)
    assert (status, said["stored"], said["duplicate"]) == (200, 1, 0)
    assert not site.faults.commits
    assert await sender.values() == [1.0]


async def test_a_process_that_was_replaced_answers_no_reading_as_stored(
    site: Site, sender: Sender
) -> None:
    site.service.writer.epoch += 1  # the store knows no such lead
    status, problem = await sender.send("feeds/temperature", 1)
    assert (status, problem["code"]) == (503, "not_serving")
    assert await sender.values() == []


async def test_a_process_that_does_not_serve_and_one_without_room_take_nothing(
    site: Site, sender: Sender
) -> None:
    site.service.leadership.is_standby = True
    status, problem = await sender.send("feeds/temperature", 1)
    assert (status, problem["code"]) == (503, "not_serving")
    site.service.leadership.is_standby = False
    site.service.gateway.room.is_closed = True
    status, problem = await sender.send("feeds/temperature", 1)
    assert (status, problem["code"]) == (503, "no_room_for_message")
    assert await sender.values() == []


async def test_a_device_above_its_rate_is_told_when_to_go_on(
    site: Site, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = site.service.limits
    monkeypatch.setattr(limits, "wait_s", lambda topic: 3.2)
    status, problem = await sender.send("feeds/temperature", 1)
    assert (status, problem["code"]) == (429, "device_too_fast")


def test_what_is_above_the_rate_is_counted_as_such() -> None:
    counters = Counters()
    settings = RateSettings(device_per_s=1, device_burst=2, user_per_s=100, user_burst=200)
    limits = Limits(settings, plain_plans(), counters, lambda key, per_s: None, lambda notice: None)
    topic = parse_topic("users/u/devices/d/feeds")

    async def posted() -> list[bool]:
        return [bool(limits.wait_s(topic)) for _ in range(4)]

    assert trio.run(posted, clock=trio.testing.MockClock()) == [False, False, True, True]
    assert counters.total.limited == counters.total.received == 2


async def test_readings_that_are_posted_are_in_the_accounts(site: Site, sender: Sender) -> None:
    await sender.send("feeds", {"temperature": 1, "wind": 2})
    total = site.service.counters.total
    assert (total.received, total.stored, total.refused, total.in_flight) == (2, 1, 1, 0)
    assert site.service.gateway.room.messages == 0

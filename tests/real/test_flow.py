"""The whole path of a reading: from a device to the database and the WebSocket."""

import subprocess

import httpx
import pytest
import trio

from tests.conftest import needs
from tests.real.harness import (
    DeviceClient,
    Person,
    Roost,
    dashboard,
    eventually,
    open_socket,
)
from tests.support import wire


async def test_a_reading_is_on_the_socket_and_in_the_database(roost: Roost, ada: Person) -> None:
    device = ada.device("flow", "t")
    client = DeviceClient(roost, device["mqtt"])
    async with dashboard(roost, ada) as screen:
        first = await screen.next()
        assert (first["type"], first["seq"]) == ("device_list", 1)
        assert device["id"] in [d["id"] for d in first["devices"]]
        await trio.to_thread.run_sync(client.publish, "feeds/t", {"value": "25.5"})
        frame = await screen.until("feed_value")
        assert (frame["feed_id"], frame["value"]) == (device["feeds"]["t"], 25.5)
        update = await screen.until("device_update")
        assert update["device"]["status"] == "online"
        assert {frame["seq"], update["seq"]} == {2, 3}
    eventually(lambda: ada.values(device["feeds"]["t"]), lambda v: v == [25.5])
    feed = ada.get(f"/feeds/{device['feeds']['t']}")
    assert feed["last_value"] == 25.5
    client.close()


async def test_a_reading_that_is_posted_is_a_devices_reading(roost: Roost, ada: Person) -> None:
    device = ada.device("poster", "t", min_value=0)
    login = device["mqtt"]["username"], device["mqtt"]["password"]
    url = f"{roost.url}/api/v1/ingest/feeds"
    async with dashboard(roost, ada) as screen, httpx.AsyncClient(auth=login) as http:
        await screen.next()
        answer = await http.post(f"{url}/t", content=b"25.5")
        assert (answer.status_code, answer.json()["stored"]) == (200, 1)
        assert ada.values(device["feeds"]["t"]) == [25.5]  # at once: it is committed
        frame = await screen.until("feed_value")
        assert (frame["feed_id"], frame["value"]) == (device["feeds"]["t"], 25.5)
        update = await screen.until("device_update")
        assert update["device"]["status"] == "online"
        answer = await http.post(url, json=[{"t": -1}, {"t": 3}])
        assert [each["outcome"] for each in answer.json()["readings"]] == ["refused", "stored"]
    (refused,) = ada.get("/rejected-messages")["items"]
    assert (refused["reason"], refused["topic"]) == (
        "out_of_range",
        device["mqtt"]["topic_prefix"] + "/feeds",
    )
    assert ada.get("/alarms")["items"][0]["detail"] == "-1 is below the minimum 0"


def test_mosquitto_pub_is_a_device(roost: Roost, ada: Person) -> None:
    publish = needs("mosquitto_pub")
    device = ada.device("shell", "temperature")
    access = device["mqtt"]
    command = [publish, "-h", "127.0.0.1", "-p", str(roost.mqtt_port), "-q", "1"]
    command += ["-i", access["client_id"], "-u", access["username"], "-P", access["password"]]
    command += ["-t", access["topic_prefix"] + "/feeds/temperature", "-m", "25.5"]
    subprocess.run(command, check=True, timeout=20)
    eventually(lambda: ada.values(device["feeds"]["temperature"]), lambda v: v == [25.5])


def test_a_device_that_waits_for_no_connack_is_heard(roost: Roost, ada: Person) -> None:
    """nats-server does not map the topics of packets that arrive in one read with their CONNECT. It
    refused them like any other foreign topic, but acknowledged them, so the first reading after a
    connection was lost. paho sends one like this when another thread publishes meanwhile."""
    device = ada.device("hasty", "t")
    access = device["mqtt"]
    login = (access["client_id"], access["username"], access["password"])
    prefix = access["topic_prefix"]
    messages = [
        (f"{prefix}/feeds/t", b'{"value": 1, "id": "first"}'),
        (f"{prefix}/feeds", b'{"values": {"t": 2}, "id": "second"}'),
        (f"{prefix}/status", b'{"status": "online", "firmware": "7"}'),
    ]
    wire.publish_at_once("127.0.0.1", roost.mqtt_port, login, messages)
    eventually(lambda: ada.values(device["feeds"]["t"]), lambda v: sorted(v) == [1, 2])
    eventually(lambda: ada.get(f"/devices/{device['id']}")["firmware"], lambda v: v == "7")


async def test_a_status_and_a_will_move_the_live_map(roost: Roost, ada: Person) -> None:
    device = ada.device("mover")
    client = DeviceClient(roost, device["mqtt"], will={"status": "offline", "session": 1})
    async with dashboard(roost, ada) as screen:
        assert (await screen.next())["type"] == "device_list"
        status = {"status": "online", "latitude": 21.03, "longitude": 105.85, "session": 1}
        await trio.to_thread.run_sync(client.publish, "status", status)
        online = await screen.until("device_update")
        assert (online["device"]["status"], online["device"]["latitude"]) == ("online", 21.03)
        client.vanish()
        offline = await screen.until("device_update")
        assert offline["device"]["status"] == "offline"
    eventually(lambda: ada.get(f"/devices/{device['id']}")["status"], lambda s: s == "offline")


def test_readings_of_every_form_are_stored(roost: Roost, ada: Person) -> None:
    device = ada.device("forms", "a", "b")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/a", b"1")
    client.publish("feeds/a", {"value": 2, "ts": "2026-01-02T00:00:00Z", "id": "m1"})
    client.publish("feeds/a", {"value": 2, "ts": "2026-01-02T00:00:00Z", "id": "m1"})
    client.publish("feeds", {"a": 4, "b": 5})
    client.publish("feeds", [{"ts": 1767312000, "values": {"a": 6}}, {"b": 7}])
    client.publish("feeds/b", b"8", qos=0)
    client.publish("feeds/b", b"9", qos=2)
    feeds = device["feeds"]
    eventually(lambda: sorted(ada.values(feeds["b"])), lambda v: v == [5, 7, 8, 9])
    eventually(lambda: sorted(ada.values(feeds["a"])), lambda v: v == [1, 2, 4, 6])
    account = ada.get(f"/devices/{device['id']}/account")
    assert account == {
        "received": 9,
        "stored": 8,
        "duplicate": 1,
        "refused": 0,
        "limited": 0,
        "shed": 0,
        "unowned": 0,
        "in_flight": 0,
        "refusals_not_kept": 0,
        "refusals_not_kept_at": None,
    }
    client.close()


def test_history_is_read_in_pages_and_by_time(roost: Roost, ada: Person) -> None:
    device = ada.device("pages", "t")
    feed = device["feeds"]["t"]
    client = DeviceClient(roost, device["mqtt"])
    readings = [{"ts": 1767225600 + n, "values": {"t": n}} for n in range(10)]
    client.publish("feeds", readings)
    eventually(lambda: ada.values(feed), lambda v: v == list(range(9, -1, -1)))
    first = ada.get(f"/feed-values/{feed}", limit=4)
    assert [item["value"] for item in first["items"]] == [9, 8, 7, 6]
    second = ada.get("/feed-values/", feed_id=feed, limit=4, cursor=first["next"])
    assert [item["value"] for item in second["items"]] == [5, 4, 3, 2]
    window = ada.get(
        f"/feed-values/{feed}", start="2026-01-01T00:00:03Z", end="2026-01-01T07:00:05+07:00"
    )
    assert [item["value"] for item in window["items"]] == [4, 3]
    assert window["items"][0]["ts"] == "2026-01-01T00:00:04.000000Z"
    client.close()


async def test_channels_ids_and_batches_are_the_clients_choice(roost: Roost, ada: Person) -> None:
    device = ada.device("chosen", "a", "b")
    client = DeviceClient(roost, device["mqtt"])
    async with open_socket(roost, f"?token={ada.token}&batch=1") as screen:
        assert (await screen.next())["events"][0]["type"] == "device_list"
        await screen.send(type="subscribe", channels=["feeds"], feed_ids=[device["feeds"]["b"]])
        await screen.send(type="ping")
        assert await screen.next() == {"type": "pong"}
        await trio.to_thread.run_sync(client.publish, "feeds", {"a": 1, "b": 2})
        frame = await screen.next()
        assert frame["type"] == "batch"
        (event,) = frame["events"]
        assert (event["type"], event["feed_key"], event["seq"]) == ("feed_value", "b", 2)
        await screen.send(type="subscribe", channels=["nonsense"])
        assert (await screen.next())["type"] == "error"
        await screen.send(anything=1)
        assert (await screen.next())["type"] == "error"
    client.close()


@pytest.mark.parametrize("query", ["", "?token=rubbish"])
async def test_a_socket_without_a_valid_token_is_closed_with_4401(
    roost: Roost, ada: Person, query: str
) -> None:
    async with open_socket(roost, query) as screen:
        if not query:
            await screen.send(type="auth", token="rubbish")
        assert await screen.closed() == 4401


async def test_a_first_frame_and_the_cookie_sign_a_socket_in(roost: Roost, ada: Person) -> None:
    async with open_socket(roost) as screen:
        await screen.send(type="auth", token=ada.token)
        assert (await screen.next())["type"] == "device_list"
    cookie = ("Cookie", f"roost_token={ada.token}")
    async with open_socket(roost, headers=[cookie, ("Origin", roost.url)]) as screen:
        assert (await screen.next())["type"] == "device_list"
    foreign = [cookie, ("Origin", "https://evil.example")]
    async with open_socket(roost, headers=foreign) as screen:
        await screen.send(type="ping")
        assert await screen.closed() == 4401


async def test_settings_hold_from_the_answer_on(roost: Roost, ada: Person) -> None:
    device = ada.device("tuned", "t", max_value=10.0)
    feed = device["feeds"]["t"]
    client = DeviceClient(roost, device["mqtt"])
    await trio.to_thread.run_sync(client.publish, "feeds/t", b"11")
    eventually(lambda: [r for r in ada.rejected() if r["device_id"] == device["id"]])
    answer = ada.call("PATCH", f"/feeds/{feed}", json={"max_value": 20})
    assert answer.status_code == 200
    await trio.to_thread.run_sync(client.publish, "feeds/t", b"12")
    eventually(lambda: ada.values(feed), lambda v: v == [12])
    client.close()


async def test_users_never_see_each_other(roost: Roost, ada: Person, bob: Person) -> None:
    device = ada.device("secret", "t")
    for path in (f"/devices/{device['id']}", f"/feeds/{device['feeds']['t']}",
                 f"/feed-values/{device['feeds']['t']}"):  # fmt: skip
        assert bob.call("GET", path).status_code == 404
    assert bob.call("DELETE", f"/devices/{device['id']}").status_code == 404
    assert bob.call("POST", f"/devices/{device['id']}/credentials").status_code == 404
    theirs = {"key": "x", "name": "x", "device_id": device["id"]}
    assert bob.call("POST", "/feeds", json=theirs).status_code == 404
    client = DeviceClient(roost, device["mqtt"])
    async with dashboard(roost, bob) as screen:
        first = await screen.next()
        assert first["devices"] == []
        await trio.to_thread.run_sync(client.publish, "feeds/t", b"1")
        eventually(lambda: ada.values(device["feeds"]["t"]))
        await screen.send(type="ping")
        assert await screen.next() == {"type": "pong"}
    client.close()

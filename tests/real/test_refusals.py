"""Invalid payloads of every kind are stored with a reason and acknowledged, and block nobody."""

import base64
import json
from typing import Any

import pytest

from tests.real.harness import DeviceClient, Person, Roost, eventually

BAD: dict[str, tuple[str, bytes, str]] = {
    "not json": ("feeds/t", b'{"value": 1', "not_json"),
    "a word": ("feeds/t", b"hello", "bad_value"),
    "empty": ("feeds/t", b"", "not_json"),
    "bad utf-8": ("feeds/t", b'"\xff\xfe"', "not_utf8"),
    "NaN": ("feeds/t", b'{"value": NaN}', "bad_value"),
    "infinity": ("feeds/t", b'{"value": -inf}', "bad_value"),
    "infinity in words": ("feeds/t", b'{"value": "inf"}', "bad_value"),
    "beyond float64": ("feeds/t", b'{"value": 1e999}', "bad_value"),
    "a megabyte": ("feeds/t", b'"' + b"x" * 1_000_000 + b'"', "too_large"),
    "deep": ("feeds/t", b"[" * 10_000, "too_deep"),
    "wrong type": ("feeds/t", b'{"value": [1]}', "bad_value"),
    "no value": ("feeds/t", b'{"temperature": 1}', "wrong_shape"),
    "text for a number": ("feeds/t", b'"warm"', "bad_value"),
    "U+0000": ("feeds/t", b'"a\\u0000"', "bad_value"),
    "unknown feed": ("feeds/unknown", b"1", "unknown_feed"),
    "feed key": ("feeds/No-Such.Key", b"1", "bad_key"),
    "disabled feed": ("feeds/off", b"1", "feed_disabled"),
    "above": ("feeds/t", b"101", "out_of_range"),
    "below": ("feeds/t", b"-1", "out_of_range"),
    "too old": ("feeds/t", b'{"value": 1, "ts": "1999-12-31T23:59:59Z"}', "bad_time"),
    "too far": ("feeds/t", b'{"value": 1, "ts": 99999999999}', "bad_time"),
    "no time": ("feeds/t", b'{"value": 1, "ts": "soon"}', "bad_time"),
    "a long id": ("feeds/t", json.dumps({"value": 1, "id": "x" * 65}).encode(), "bad_id"),
    "too many": ("feeds", json.dumps([{"t": n} for n in range(501)]).encode(), "too_many"),
    "status": ("status", b'{"latitude": 91}', "bad_value"),
    "unknown field": ("status", b'{"rssi": -70}', "wrong_shape"),
    "status in a word": ("status", b"sleeping", "wrong_shape"),
    "beside values": ("feeds", b'{"values": {}, "t": 1}', "wrong_shape"),
    "ack of nothing": ("commands/c1/ack", b'{"status": "delivered"}', "unknown_command"),
}


@pytest.fixture(scope="module")
def device(ada: Person) -> dict[str, Any]:
    made = ada.device("bad", "t", min_value=0, max_value=100)
    off = {"key": "off", "name": "off", "device_id": made["id"], "enabled": False}
    ada.post("/feeds", off)
    return made


def test_all_of_them_are_kept_acknowledged_and_stop_nobody(
    roost: Roost, ada: Person, device: dict[str, Any]
) -> None:
    client = DeviceClient(roost, device["mqtt"])
    client.subscribe("errors")
    for number, (tail, payload, _) in enumerate(BAD.values()):
        client.publish(tail, payload)
        client.publish("feeds/t", {"value": number, "ts": 1767225600 + number})
    kept = eventually(ada.rejected, lambda items: len(items) == len(BAD))
    got = {(item["topic"].removeprefix(client.prefix + "/"), item["reason"]) for item in kept}
    assert got == {(tail, reason) for tail, _, reason in BAD.values()}
    for item in kept:
        assert item["detail"]
        assert len(item["payload"]) <= 6_000
        if item["reason"] == "not_utf8":
            assert base64.b64decode(item["payload"]) == b'"\xff\xfe"'
    feed = device["feeds"]["t"]
    eventually(lambda: len(ada.values(feed)), lambda count: count == len(BAD))
    unacknowledged = eventually(
        lambda: metric(roost, ada, "roost_mqtt_in_flight"), lambda value: value == 0
    )
    assert unacknowledged == 0
    told = [client.next(1) for _ in range(10)]
    assert all(message is not None for message in told)
    assert client.next(0.3) is None  # at most ten a minute
    first = told[0]
    assert first is not None
    assert set(json.loads(first[1])) == {"topic", "reason", "detail"}
    client.close()


def test_the_broker_keeps_no_refused_message_for_later(
    roost: Roost, ada: Person, device: dict[str, Any]
) -> None:
    """Acknowledged messages are not redelivered after the broker's timeout (5 s)."""
    before = metric(roost, ada, "roost_mqtt_messages_total")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/t", b"hello")
    eventually(lambda: metric(roost, ada, "roost_mqtt_messages_total"), lambda n: n == before + 1)
    assert client.lost.wait(6) is False
    assert metric(roost, ada, "roost_mqtt_messages_total") == before + 1
    client.close()


def test_messages_of_a_device_that_does_not_exist_belong_to_nobody(
    roost: Roost, ada: Person
) -> None:
    made = ada.device("ghost", "t")
    client = DeviceClient(roost, made["mqtt"])
    assert ada.call("DELETE", f"/devices/{made['id']}").status_code == 204
    assert client.lost.wait(5)
    client.close()


def metric(roost: Roost, ada: Person, name: str) -> float:
    for line in ada.http.get(roost.url + "/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.rpartition(" ")[2])
    raise KeyError(name)

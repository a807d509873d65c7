"""What real devices send, on the running service: nothing is lost, and what they mean is taken."""

from typing import Any

import pytest

from tests.real.harness import DeviceClient, Person, Roost, eventually

# What is sent below the prefix, by feed the values that are stored, and what is refused: payload
# and reason.
Case = tuple[str, bytes, dict[str, list[Any]], list[tuple[str, str]]]
CASES: dict[str, Case] = {
    "NaN": ("feeds", b'{"t": NaN, "h": 61}', {"h": [61.0]}, [('{"t":NaN}', "bad_value")]),
    "-inf": ("feeds", b'{"h": 62, "t": -inf}', {"h": [62.0]}, [('{"t":-inf}', "bad_value")]),
    "1e400": ("feeds", b'{"t":1e400,"h":63}', {"h": [63.0]}, [('{"t":1e400}', "bad_value")]),
    "beside": ("feeds", b'{"values":{"t":64},"h":2}', {"t": [64.0]}, [('{"h":2}', "wrong_shape")]),
    "twice": ("feeds", b'{"t": 9, "t": 65}', {"t": [65.0]}, [('{"t":9}', "wrong_shape")]),
    "numeric id": ("feeds", b'{"id": 0, "t": 66}', {"t": [66.0]}, []),
    "a bare word": ("feeds/b", b"ON", {"b": [True]}, []),
    "a quoted word": ("feeds/b", b'" False "', {"b": [False]}, []),
    "a bare text": ("feeds/x", b"the door is open", {"x": ["the door is open"]}, []),
    "spaces": ("feeds/t", b'"67.5 "', {"t": [67.5]}, []),
    "microseconds": ("feeds/t", b'{"value": 68, "ts": 1767225600000001}', {"t": [68.0]}, []),
    "nanoseconds": ("feeds", b'{"t": 69, "ts": 1767225600000001234}', {"t": [69.0]}, []),
    "no number": ("feeds/t", b"hello", {}, [("hello", "bad_value")]),
}


def stored(person: Person, device: dict[str, Any]) -> dict[str, list[Any]]:
    """The values of the feeds that have any."""
    found = {key: person.values(feed) for key, feed in device["feeds"].items()}
    return {key: values for key, values in found.items() if values}


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_taken_is_listed_and_the_rest_is_stored(
    roost: Roost, ada: Person, name: str
) -> None:
    tail, payload, wanted, refused = CASES[name]
    device = ada.device(name.replace(" ", "-"), "t", "h")
    for key, kind in (("b", "bool"), ("x", "text")):
        body = {"key": key, "name": key, "device_id": device["id"], "kind": kind}
        device["feeds"][key] = ada.post("/feeds", body)["id"]
    client = DeviceClient(roost, device["mqtt"])
    client.publish(tail, payload)
    eventually(lambda: stored(ada, device), lambda found: found == wanted)
    kept = eventually(
        lambda: ada.get("/rejected-messages", device_id=device["id"])["items"],
        lambda found: len(found) == len(refused),
    )
    assert [(each["payload"], each["reason"]) for each in kept] == refused
    assert stored(ada, device) == wanted
    client.close()


def test_a_status_in_the_words_of_devices(roost: Roost, ada: Person) -> None:
    device = ada.device("words")
    client = DeviceClient(roost, device["mqtt"])

    def shown(**wanted: Any) -> None:
        eventually(
            lambda: ada.get(f"/devices/{device['id']}"),
            lambda found: {name: found[name] for name in wanted} == wanted,
        )

    client.publish("status", b"Online")
    shown(status="online")
    client.publish("status", {"lat": 10.8, "lon": "106.7", "temperature": "hot", "humidity": "61 "})
    shown(latitude=10.8, longitude=106.7, humidity=61.0, temperature=None)
    client.publish("status", {"status": "OFFLINE ", "rssi": -70})
    shown(status="offline")
    kept = eventually(
        lambda: ada.get("/rejected-messages", device_id=device["id"])["items"],
        lambda found: len(found) == 2,
    )
    assert [(each["payload"], each["reason"]) for each in kept] == [
        ('{"rssi":-70}', "wrong_shape"),
        ('{"temperature":"hot"}', "bad_value"),
    ]
    client.close()

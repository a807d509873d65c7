"""Properties of nats-server that Roost relies on, besides those of the broker's contract tests."""

import json
from contextlib import ExitStack

import pytest

from tests.real.database import locked
from tests.real.harness import DeviceClient, Person, Roost, eventually
from tests.support import wire


@pytest.fixture(scope="module")
def roost(own_roost: Roost) -> Roost:
    """A separate server, because a thousand subscriptions stay at its broker."""
    return own_roost


def test_a_message_of_seven_megabytes_is_refused_by_us_and_nine_by_the_broker(
    roost: Roost, ada: Person
) -> None:
    device = ada.device("large", "t")
    client = DeviceClient(roost, device["mqtt"])
    client.publish("feeds/t", b"x" * 7_000_000)
    (kept,) = eventually(ada.rejected)
    assert kept["reason"] == "too_large"
    assert len(kept["payload"]) == 4096
    client.client.publish(f"{client.prefix}/feeds/t", b"x" * 9_000_000, 1)
    assert client.lost.wait(10)


def test_a_space_in_a_topic_closes_the_connection_and_stops_nobody(
    roost: Roost, ada: Person
) -> None:
    device = ada.device("spaced", "t")
    client = DeviceClient(roost, device["mqtt"])
    client.client.publish(f"{client.prefix}/feeds/a b", b"1", 1)
    assert client.lost.wait(10)
    again = DeviceClient(roost, device["mqtt"])
    again.publish("feeds/t", b"1")
    eventually(lambda: ada.values(device["feeds"]["t"]), lambda values: values == [1])


def test_a_second_login_with_the_same_client_id_takes_the_session_over(
    roost: Roost, ada: Person
) -> None:
    device = ada.device("twice", "t")
    first = DeviceClient(roost, device["mqtt"])
    second = DeviceClient(roost, device["mqtt"])
    assert first.lost.wait(10)
    second.publish("feeds/t", b"1")
    eventually(lambda: ada.values(device["feeds"]["t"]), lambda values: values == [1])


def test_nobody_gets_in_with_the_passwords_of_a_default(roost: Roost) -> None:
    for name in ("roost", "auth", "sys", "admin", ""):
        for password in ("", name, "password"):
            try:
                wire.connect("127.0.0.1", roost.mqtt_port, "x", name, password).close()
            except ConnectionError:
                continue
            raise AssertionError(f"{name!r} got in with {password!r}")


def test_more_than_a_thousand_subscriptions_with_qos_1_are_granted(roost: Roost) -> None:
    """Since 2.15 the server's default limit is 1,000; further devices would get no commands."""
    password = json.loads((roost.data_dir / "secrets.json").read_text())["mqtt"]
    with ExitStack() as lines:
        for n in range(220):
            line = wire.connect("127.0.0.1", roost.mqtt_port, f"many-{n}", "roost", password)
            lines.enter_context(line)
            # The server grants one client six at most, with 10,000 unacknowledged messages each.
            topics = [f"users/u/devices/d{n}-{m}/commands" for m in range(5)]
            assert wire.subscribe(line, topics, 1) == b"\x01" * 5


def test_the_broker_tells_what_it_holds_for_us(roost: Roost, ada: Person) -> None:
    """The counts of its consumers, by session."""
    device = ada.device("held", "t")
    client = DeviceClient(roost, device["mqtt"])

    def waiting() -> float:
        page = ada.http.get(roost.url + "/metrics").text.splitlines()
        return sum(float(line.split()[1]) for line in page if "roost_broker_waiting{" in line)

    with locked(roost, "feed_values"):
        for n in range(7):
            client.publish("feeds/t", {"value": n})
        eventually(waiting, lambda count: count >= 7)  # plus a canary behind them
    eventually(waiting, lambda count: count == 0)

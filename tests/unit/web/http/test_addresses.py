"""Who asks: the client's address, behind proxies that are trusted and others."""

from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from werkzeug.datastructures import Headers

from protocol.people.networks import network_of
from tests.conftest import Logs
from web.http.addresses import Addresses


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),  # a stranger's word
        ("10.0.0.2", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.2", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # what it was told before us
        ("10.0.0.2", ["1.1.1.1, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.0.0.2", ["203.0.113.9", "10.0.0.3"], "203.0.113.9"),
        ("10.0.0.2", ["nonsense"], "10.0.0.2"),
        ("10.0.0.2", ["203.0.113.9:51234"], "203.0.113.9"),
        ("10.0.0.2", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("10.0.0.2", ["[2001:db8::1]"], "2001:db8::1"),
        ("10.0.0.2", ["1.1.1.1, 203.0.113.9:1, 10.9.9.9:65535"], "203.0.113.9"),
        ("10.0.0.2", ["203.0.113.9:"], "10.0.0.2"),
        ("10.0.0.2", ["[203.0.113.9"], "10.0.0.2"),
        ("::ffff:10.0.0.2", ["2001:db8::1"], "2001:db8::1"),
        ("<local>", [], "unknown"),
    ],
)
async def test_only_trusted_proxies_say_who_asks(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert Addresses([ip_network("10.0.0.0/8")]).client(request(peer, *forwarded)) == client


def request(peer: str, *forwarded: str) -> Any:
    headers = Headers([("X-Forwarded-For", each) for each in forwarded])
    return SimpleNamespace(remote_addr=peer, headers=headers)


async def test_a_proxy_that_is_not_trusted_is_named_in_the_log(
    autojump_clock: Any, logs: Logs
) -> None:
    """All its clients shared the limits of one address, and nobody could see why."""
    addresses = Addresses([ip_network("10.0.0.0/8")])
    for _ in range(3):
        addresses.client(request("172.17.0.1", "203.0.113.9"))
        addresses.client(request("10.0.0.2", "203.0.113.9"))
        addresses.client(request("198.51.100.7"))
    await trio.sleep(3600)
    addresses.client(request("172.17.0.1", "203.0.113.9"))
    warned = [entry for entry in logs.entries if "X-Forwarded-For" in entry["event"]]
    assert [(entry["address"], entry["times"]) for entry in warned] == [
        ("172.17.0.1", 1),
        ("172.17.0.1", 3),
    ]


@pytest.mark.parametrize(
    ("peer", "said", "secure"),
    [("10.0.0.2", "https", True), ("192.0.2.1", "https", False), ("10.0.0.2", "http", False)],
)
def test_only_trusted_proxies_say_that_it_was_tls(peer: str, said: str, secure: bool) -> None:
    headers = Headers([("X-Forwarded-Proto", said)])
    asked: Any = SimpleNamespace(remote_addr=peer, headers=headers, scheme="http")
    assert Addresses([ip_network("10.0.0.0/8")]).is_https(asked) is secure


def test_a_client_is_its_address_or_its_network() -> None:
    assert network_of("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"
    assert network_of("192.0.2.1") == "192.0.2.1"

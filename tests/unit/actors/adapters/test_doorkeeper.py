"""Whom the doorkeeper of the embedded broker sends away."""

from collections.abc import Iterable

from actors.adapters.nats import doorkeeper
from actors.adapters.nats.connections import Connection


def waiting(ip: str, *cids: int) -> list[Connection]:
    return [Connection(ip=ip, cid=cid) for cid in cids]


def beyond(crowd: Iterable[Connection], of_address: int) -> dict[str, list[int]]:
    found = doorkeeper.beyond(crowd, of_address)
    return {network: [each.cid for each in gone] for network, gone in found.items()}


def test_the_oldest_of_an_address_beyond_its_share_go_and_nobody_else() -> None:
    crowd = waiting("203.0.113.9", 9, 4, 5, 7, 2)
    others = waiting("203.0.113.10", 1, 3) + waiting("203.0.113.11", 6)
    assert beyond(crowd + others, 3) == {"203.0.113.9": [2, 4]}


def test_a_network_of_ipv6_is_one_address() -> None:
    crowd = [*waiting("2001:db8::1", 1), *waiting("2001:db8::2", 2), *waiting("2001:db8:0:1::", 3)]
    assert beyond(crowd, 1) == {"2001:db8::/64": [1]}
    assert beyond(waiting("::ffff:203.0.113.9", 1) + waiting("::ffff:203.0.113.8", 2), 1) == {}


def test_who_has_no_address_is_one_crowd() -> None:
    assert beyond(waiting("", 1, 2), 1) == {"": [1]}

"""So many connections of one address, and of all; who gives way where there is no room."""

from web.http.connections import GAVE_WAY, OF_ADDRESS, OF_ALL, Connections, Place

PROXY = "10.0.0.1"


class Guests:
    """Connections by their names."""

    def __init__(self, most: int, of_address_max: int) -> None:
        self.connections = Connections(
            most=most, of_address_max=of_address_max, is_trusted=lambda address: address == PROXY
        )
        self.places: dict[str, Place] = {}
        self.closed: list[str] = []

    def come(self, name: str, address: str, *, known: bool = True) -> bool:
        place = self.connections.come(address, lambda: self.closed.append(name))
        if place is None:
            return False
        self.places[name] = place
        if known:
            place.known()
        return True


async def test_an_address_has_its_share_and_others_theirs() -> None:
    guests = Guests(most=100, of_address_max=3)
    came = [guests.come(f"a{n}", "203.0.113.9") for n in range(5)]
    assert came == [True, True, True, False, False]
    assert guests.come("other", "203.0.113.10")
    assert guests.connections.closed_for[OF_ADDRESS] == 2
    guests.places["a0"].leave()
    assert guests.come("a5", "203.0.113.9")
    assert len(guests.connections) == 4


async def test_a_network_of_ipv6_is_one_address() -> None:
    guests = Guests(most=100, of_address_max=2)
    assert [guests.come(f"n{n}", f"2001:db8::{n}") for n in range(3)] == [True, True, False]
    assert guests.come("other", "2001:db8:0:1::1")


async def test_a_trusted_proxy_is_bounded_as_all_are() -> None:
    guests = Guests(most=5, of_address_max=2)
    came = [guests.come(f"p{n}", PROXY) for n in range(6)]
    assert came == [True] * 5 + [False]
    assert guests.connections.closed_for[OF_ALL] == 1


async def test_who_was_idle_for_longest_gives_way_and_who_is_known_does_not() -> None:
    guests = Guests(most=3, of_address_max=9)
    assert guests.come("asks", "203.0.113.1")
    assert guests.come("first", "203.0.113.2", known=False)
    assert guests.come("second", "203.0.113.3", known=False)
    guests.places["first"].known()
    guests.places["first"].idle()  # asked something meanwhile
    assert guests.come("new", "203.0.113.4")
    assert guests.closed == ["second"]
    guests.places["second"].leave()  # its task ends later
    assert len(guests.connections) == 3
    assert guests.come("newer", "203.0.113.5")
    assert guests.closed == ["second", "first"]
    assert not guests.come("newest", "203.0.113.6")
    assert guests.connections.closed_for[GAVE_WAY] == 2


async def test_who_asks_and_is_not_known_gives_way_after_the_silent() -> None:
    """Else sockets that nobody signs in, or bodies that do not end, would fill all places."""
    guests = Guests(most=2, of_address_max=9)
    assert guests.come("asks", "203.0.113.1", known=False)
    assert guests.come("silent", "203.0.113.2", known=False)
    guests.places["asks"].asks()
    assert guests.come("new", "203.0.113.3", known=False)
    assert guests.come("newer", "203.0.113.4", known=False)
    assert guests.closed == ["silent", "asks"]


async def test_idle_connections_of_others_do_not_give_way_for_an_address_that_is_full() -> None:
    guests = Guests(most=9, of_address_max=2)
    guests.come("idle elsewhere", "203.0.113.2", known=False)
    assert [guests.come(f"a{n}", "203.0.113.1") for n in range(3)] == [True, True, False]
    assert not guests.closed


async def test_nothing_is_kept_of_addresses_that_have_left() -> None:
    guests = Guests(most=3, of_address_max=1)
    for n in range(50):
        assert guests.come(f"g{n}", f"203.0.113.{n}", known=n % 2 == 0)
        guests.places[f"g{n}"].leave()
        guests.places[f"g{n}"].leave()
    assert len(guests.connections) == 0
    assert not guests.connections._of
    assert not guests.connections._placed

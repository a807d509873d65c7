"""The accounts of single devices, at their bound."""

import pytest

from actors.ingest import counters as counters
from actors.ingest.counters import Counters, ReadingCounts


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Counters:
    monkeypatch.setattr(counters, "DEVICES_MAX", 3)
    return Counters()


def key(n: int) -> tuple[str, str]:
    return "u", f"d{n}"


def test_an_account_with_readings_in_flight_does_not_give_way(few: Counters) -> None:
    """It was begun again while they settled, and went negative."""
    for n in range(10):
        few.received(key(n), 2)
    for n in range(10):
        assert few.of(key(n)).in_flight == 2
    for n in range(10):
        few.settled(key(n), stored=1)
        assert few.of(key(n)) == ReadingCounts(received=2, stored=1)
    for n in range(10):
        few.settled(key(n), refused=1)
        assert few.of(key(n)).in_flight == 0
    assert [few.of(key(n)).received for n in (6, 7, 8, 9)] == [0, 2, 2, 2]
    assert len(few) == 3
    assert few.total == ReadingCounts(received=20, stored=10, refused=10)


def test_the_device_that_was_quiet_for_longest_gives_way(few: Counters) -> None:
    for n in (0, 1, 2, 0, 3):
        few.received(key(n), 1)
        few.settled(key(n), duplicate=1)
    assert [few.of(key(n)).received for n in range(4)] == [2, 0, 1, 1]


def test_looking_at_an_account_makes_none(few: Counters) -> None:
    for n in range(3):
        few.received(key(n), 1)
        few.settled(key(n), unowned=1)
    for n in range(100, 200):
        assert few.of(key(n)) == ReadingCounts()
    assert [few.of(key(n)).unowned for n in range(3)] == [1, 1, 1]


def test_what_is_shed_is_never_in_flight(few: Counters) -> None:
    few.received(key(1), 5)
    few.shed(key(1), 5)
    assert few.of(key(1)).in_flight == few.total.in_flight == 0


def test_what_is_turned_away_is_received_and_never_in_flight(few: Counters) -> None:
    few.received(key(0), 2)
    few.turned_away(key(0), limited=1)
    few.turned_away(key(1), shed=1)
    assert few.of(key(0)) == ReadingCounts(received=3, limited=1)
    assert few.of(key(0)).in_flight == 2
    assert few.of(key(1)) == ReadingCounts(received=1, shed=1)
    assert few.total == ReadingCounts(received=4, limited=1, shed=1)
    for n in range(2, 9):
        few.turned_away(key(n), limited=1)
    assert len(few) == 3
    assert few.of(key(0)).in_flight == 2

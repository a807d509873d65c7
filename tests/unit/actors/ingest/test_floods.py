"""Devices that flood are shut out; what they hear of their rate; acknowledgements gathered."""

from collections.abc import Iterable
from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.mqtt.no_logins import NoLogins
from actors.ingest import floods as module
from actors.ingest import notices, rate_notices
from actors.ingest.arrivals import Arrival
from actors.ingest.floods import Floods
from actors.ingest.late_acks import LateAcks
from actors.ingest.notices import NoticeLimits
from actors.ingest.rate_notices import EVERY_S, RateNotices
from actors.ingest.redelivery import SessionRedelivery
from protocol import codec
from protocol.errors import Unavailable
from protocol.records import LoadedDevice
from tests.conftest import Logs
from tests.unit.makers import USER, loaded

KEY = (USER, "d1")


class Store:
    """Only what they need of one."""

    def __init__(self) -> None:
        self.failures = 0

    async def load_devices(self, keys: list[Any]) -> list[LoadedDevice | None]:
        await trio.lowlevel.checkpoint()
        if self.failures:
            self.failures -= 1
            raise Unavailable("away")
        return [loaded() if key == KEY else None for key in keys]


def some_store() -> Any:
    return Store()


class Logins(NoLogins):
    def __init__(self) -> None:
        super().__init__()
        self.shut: list[tuple[str, float]] = []

    async def shut_out(self, client_id: str, for_s: float) -> None:
        await trio.lowlevel.checkpoint()
        self.shut.append((client_id, for_s))


class Scene:
    def __init__(self, nursery: trio.Nursery) -> None:
        self.store = some_store()
        self.logins = Logins()
        self.told: list[str] = []
        clock = ManualClock()
        self.floods = Floods(
            self.store, self.logins, clock, retry_after_s=60.0, told=self.told.append
        )
        nursery.start_soon(self.floods.run)


@pytest.fixture
async def scene(autojump_clock: Any, nursery: trio.Nursery) -> Scene:
    return Scene(nursery)


async def test_a_device_is_shut_out_for_a_while_and_its_page_tells_why(scene: Scene) -> None:
    scene.floods.began(KEY, 12_345.6)
    await trio.testing.wait_all_tasks_blocked()
    ((client_id, for_s),) = scene.logins.shut
    assert client_id == loaded().device.client_id
    assert for_s == pytest.approx(60.0, abs=0.1)
    found = scene.floods.of(KEY)
    assert found is not None
    assert (found.messages_per_s, found.until_us - found.at_us) == (12_346, 60_000_000)
    assert scene.told == [USER]
    assert scene.floods.total == 1


async def test_a_device_that_does_not_exist_is_nobodys_to_shut_out(scene: Scene) -> None:
    scene.floods.began((USER, "nobody"), 9_000.0)
    await trio.testing.wait_all_tasks_blocked()
    assert scene.logins.shut == []


async def test_it_is_tried_again_while_the_store_is_away_and_lasts_no_longer_for_that(
    scene: Scene, logs: Logs
) -> None:
    scene.store.failures = 2
    scene.floods.began(KEY, 9_000.0)
    await trio.sleep(5)
    ((_, for_s),) = scene.logins.shut
    assert 57 < for_s < 60


async def test_one_that_waits_for_the_store_holds_up_no_other(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = trio.Event()
    load = scene.store.load_devices

    async def hang(keys: list[Any]) -> Any:
        if keys == [KEY]:
            return await load(keys)
        await slow.wait()
        return [None]

    monkeypatch.setattr(scene.store, "load_devices", hang)
    scene.floods.began((USER, "slow"), 9_000.0)
    scene.floods.began(KEY, 9_000.0)
    await trio.testing.wait_all_tasks_blocked()
    assert len(scene.logins.shut) == 1


async def test_so_many_are_remembered(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_MAX", 3)
    for n in range(9):
        scene.floods.began((USER, f"d{n}"), 9_000.0)
    assert [n for n in range(9) if scene.floods.of((USER, f"d{n}"))] == [6, 7, 8]


def test_a_device_hears_of_refusals_at_most_ten_times_a_minute_with_how_many() -> None:
    notices = RateNotices()
    heard = []
    for n in range(6_000):
        notice = notices.refused(KEY, "users/u/devices/d1/feeds/t", 0.3, n / 100)
        if notice is not None:
            heard.append(codec.decode(notice.body))
    assert len(heard) == 60 / EVERY_S <= 10
    assert [each["refused"] for each in heard] == [1] + [600] * 9
    assert {each["retry_after_s"] for each in heard} == {1}
    assert {each["reason"] for each in heard} == {"too_fast"}


def test_a_device_hears_at_most_ten_notices_a_minute_whoever_they_come_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = NoticeLimits()
    now_us = 1_790_000_000_000_000
    assert [limits.allows("d1", now_us + n) for n in range(12)] == [True] * 10 + [False] * 2
    assert limits.allows("d2", now_us)
    assert limits.allows("d1", now_us + 61_000_000)
    monkeypatch.setattr(notices, "DEVICES_MAX", 3)
    for n in range(9):
        limits.allows(f"d{n}", now_us)
    assert len(limits._topics) <= 4


def test_of_so_many_devices_it_is_known_what_they_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_notices, "DEVICES_MAX", 3)
    notices = RateNotices()
    for n in range(9):
        assert notices.refused((USER, f"d{n}"), "t", 1.0, 0.0) is not None
    assert notices.refused((USER, "d8"), "t", 1.0, 1.0) is None
    assert notices.refused((USER, "d0"), "t", 1.0, 1.0) is not None


async def test_acknowledgements_of_a_moment_go_out_together_on_their_own_connection(
    nursery: trio.Nursery,
) -> None:
    sent: list[tuple[str, int, list[int]]] = []

    def send(session: SessionRedelivery, arrivals: Iterable[Arrival]) -> None:
        sent.append((session.name, session.connection, [each.packet_id for each in arrivals]))

    def arrived(session: SessionRedelivery, packet_id: int) -> Arrival:
        return Arrival(session, session.connection, packet_id, False, "t", b"")

    one, other = SessionRedelivery("a"), SessionRedelivery("b")
    one.connected(1, 0.0)
    other.connected(1, 0.0)
    acks = LateAcks(send)
    nursery.start_soon(acks.run)
    for session, packet_id in ((one, 7), (other, 7), (one, 8)):
        acks.add(arrived(session, packet_id))
    assert acks.has(arrived(one, 8))
    await trio.testing.wait_all_tasks_blocked()
    assert sent == [("a", 1, [7, 8]), ("b", 1, [7])]
    assert not acks.has(arrived(one, 8))
    acks.add(arrived(one, 9))
    one.connected(2, 1.0)
    assert not acks.has(arrived(one, 9))
    acks.add(arrived(one, 1))  # a new connection: the other's ids mean nothing any more
    await trio.testing.wait_all_tasks_blocked()
    assert sent[2:] == [("a", 2, [1])]
    acks.add(arrived(one, 2))
    one.disconnected()
    await trio.testing.wait_all_tasks_blocked()
    assert len(sent) == 3

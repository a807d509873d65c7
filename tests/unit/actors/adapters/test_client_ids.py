"""A listener has few client ids: those that are connected, or whose session the broker keeps."""

from collections.abc import Sequence

import pytest
import trio
import trio.testing

from actors.adapters.nats.client_ids import ASK_EVERY_S, ASKED_MAX, RECENT_S, ClientIds
from protocol.errors import Unavailable

MOST = 3


class Broker:
    def __init__(self) -> None:
        self.there: set[str] = set()
        self.asked: list[str] = []
        self.away = False

    async def __call__(self, username: str, client_ids: Sequence[str]) -> set[str]:
        await trio.lowlevel.checkpoint()
        self.asked.append(username)
        if self.away:
            raise Unavailable("away")
        return self.there & set(client_ids)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def ids(broker: Broker, autojump_clock: trio.testing.MockClock) -> ClientIds:
    return ClientIds(MOST, broker)


async def came(ids: ClientIds, client_id: str, username: str = "ada") -> bool:
    """Whether it is let in."""
    await ids.make_room([(username, client_id)])
    if not ids.admits(username, client_id):
        return False
    ids.add(username, client_id)
    return True


async def test_few_come_in_at_once_and_each_of_them_again(ids: ClientIds, broker: Broker) -> None:
    broker.there = {"a", "b", "c"}
    assert [await came(ids, each) for each in "abcd"] == [True, True, True, False]
    assert await came(ids, "a")
    assert await came(ids, "d", "bob")
    await trio.sleep(RECENT_S)
    assert not await came(ids, "d")


async def test_who_is_gone_for_good_makes_room(ids: ClientIds, broker: Broker) -> None:
    """A clean session counts nothing once its client is gone."""
    assert [await came(ids, each) for each in "abc"] == [True] * MOST
    broker.there = {"b"}
    assert not await came(ids, "d")  # they may only just be connecting
    await trio.sleep(RECENT_S)
    assert await came(ids, "d")
    assert sorted(ids.of("ada")) == ["b", "d"]


async def test_sessions_from_before_a_restart_count(ids: ClientIds, broker: Broker) -> None:
    broker.there = {"a", "b", "c", "x", "y"}
    for each in sorted(broker.there):
        ids.found("ada", each)
    assert await came(ids, "a")
    assert not await came(ids, "new")
    assert sorted(ids.forget("ada")) == ["a", "b", "c", "x", "y"]
    assert await came(ids, "new")


async def test_the_broker_is_asked_now_and_then_and_may_be_away(
    ids: ClientIds, broker: Broker
) -> None:
    broker.away = True
    for each in "abc":
        ids.found("ada", each)
    for _ in range(10):
        assert not await came(ids, "d")
    assert broker.asked == ["ada"]
    broker.away = False
    await trio.sleep(ASK_EVERY_S)
    assert await came(ids, "d")


async def test_a_crowd_of_full_names_holds_nobody_up_for_long(
    ids: ClientIds, broker: Broker
) -> None:
    names = [f"user-{n}" for n in range(10 * ASKED_MAX)]
    for name in names:
        for each in "abc":
            ids.found(name, each)
    await ids.make_room([(name, "d") for name in names])
    assert len(broker.asked) == ASKED_MAX

"""Whose clients have how much of the broker's subscriptions with QoS 1, and who goes."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
import trio

from actors.adapters.nats import share_keeper
from actors.adapters.nats.mqtt_sessions import hash_of
from actors.adapters.nats.share_keeper import ShareKeeper
from actors.adapters.nats.subscription_shares import (
    OF_DEVICE,
    RECENT_S,
    TRIED_AT_ONCE,
    TRIED_EVERY_S,
    SubscriptionShares,
)
from actors.ports.broker_sessions import KeptSession
from protocol.ids import password_digest
from protocol.records import MqttLogin

MOST = 8
ADA, BOB = "ada", "bob"


def client_id(n: int) -> str:
    return f"device-00000000-0000-4000-8000-{n:012d}"


def held(*numbers: int) -> list[str]:
    """The session of each subscription, where these have all that a device may have."""
    return [hash_of(client_id(n)) for n in numbers for _ in range(OF_DEVICE)]


def come(shares: SubscriptionShares, user: str, numbers: Sequence[int]) -> int:
    """How many of them came in."""
    return sum(shares.comes_in(user, client_id(n)) is True for n in numbers)


@pytest.fixture
def shares(autojump_clock: Any) -> SubscriptionShares:
    return SubscriptionShares(MOST)


async def test_who_came_last_goes_and_nobody_of_another_user(shares: SubscriptionShares) -> None:
    assert come(shares, ADA, range(4)) == come(shares, BOB, range(10, 14)) == 4
    await trio.sleep(RECENT_S)
    shares.few(trio.current_time())
    assert come(shares, ADA, [4, 5]) == 2
    beyond = shares.counted(held(*range(6), *range(10, 14)), trio.current_time())
    assert beyond == {ADA: [client_id(4), client_id(5)]}
    assert come(shares, ADA, [0]) == 1  # again: it stays before those that came after it
    assert shares.counted(held(*range(5)), trio.current_time()) == {ADA: [client_id(4)]}


async def test_who_was_there_before_goes_after_who_comes(shares: SubscriptionShares) -> None:
    sessions = held(0, 1, 2, 3, 9)
    assert shares.unknown(sessions)
    assert come(shares, ADA, [4]) == 1
    shares.found([(ADA, client_id(n)) for n in range(4)], sessions)
    assert not shares.unknown(sessions)  # 9 is of nobody
    assert shares.counted([*sessions, *held(4)], trio.current_time()) == {ADA: [client_id(4)]}


async def test_few_more_come_in_where_a_user_has_all(shares: SubscriptionShares) -> None:
    come(shares, ADA, range(4))
    shares.counted(held(*range(4)), trio.current_time())
    assert come(shares, ADA, range(10, 60)) == TRIED_AT_ONCE
    assert shares.comes_in(ADA, client_id(99)) is False
    assert come(shares, BOB, range(100, 104)) == 4
    assert come(shares, ADA, range(4)) == 4  # they are in already
    await trio.sleep(5 * TRIED_EVERY_S)
    assert come(shares, ADA, range(60, 99)) == 5


async def test_where_nobody_knows_yet_who_takes_any_the_next_look_says(
    shares: SubscriptionShares,
) -> None:
    """A fleet that listens with QoS 0 takes nothing, and none of it is refused."""
    for start in range(0, 40, 4):
        assert come(shares, ADA, range(start, start + 4)) == 4
        assert shares.comes_in(ADA, client_id(99)) is None
        with trio.fail_after(1):
            await shares.wait_unsure()
        shares.few(trio.current_time())
        assert shares.comes_in(ADA, client_id(99)) is None  # they may still subscribe
        await trio.sleep(RECENT_S)
        shares.few(trio.current_time())


class Broker:
    """The bridge, the clients and the sessions of the broker, and the store."""

    def __init__(self) -> None:
        self.sessions: list[str] = []
        self.closed: list[str] = []
        self.kept_out: list[str] = []

    async def run(self, work: Any) -> Any:
        return await work()

    async def subscription_count(self) -> int:
        return len(self.sessions)

    async def subscribed(self) -> list[str]:
        return self.sessions

    async def kept(self) -> list[KeptSession]:
        return [KeptSession(client_id(n)) for n in range(10)]

    async def logins(self, names: Sequence[str]) -> dict[str, MqttLogin]:
        """All are Ada's."""
        digest = password_digest("pw")
        return {
            name: MqttLogin(
                username=name,
                client_id=name,
                password_sha256=digest,
                user_id=ADA,
                device_code="d",
            )
            for name in names
        }

    async def forget(self, client_id: str) -> None:
        self.closed.append(client_id)
        self.sessions = [each for each in self.sessions if each != hash_of(client_id)]

    def keep_out(self, client_ids: Sequence[str], for_s: float) -> None:
        self.kept_out += client_ids


async def test_sessions_from_before_a_start_count_and_a_crowd_goes_in_portions(
    shares: SubscriptionShares, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share_keeper, "CLOSED_EACH", 4)
    broker = Broker()
    part = cast(Any, broker)
    looks: list[None] = []
    keeper = ShareKeeper(part, part, part, shares, part, lambda: looks.append(None))
    broker.sessions = held(0)
    assert await keeper.look() == 0
    broker.sessions = held(*range(10), 99)
    assert [await keeper.look() for _ in range(3)] == [4, 2, 0]
    assert sorted(broker.closed) == [client_id(n) for n in range(4, 10)]
    assert set(broker.kept_out) == set(broker.closed)
    assert broker.sessions == held(*range(4), 99)
    assert len(looks) == 4

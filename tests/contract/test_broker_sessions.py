"""What the broker keeps of others: it is told, and goes when it shall. NATS, and its twin."""

import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
import trio

from actors.adapters.memory.broker.broker import MemoryBroker
from actors.adapters.memory.broker.logins import MemoryLogins
from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.mqtt.plans import partition_plans
from actors.adapters.nats import mqtt_sessions
from actors.adapters.nats.auth_callout import open_logins
from actors.adapters.nats.jetstream import call
from actors.adapters.nats.mqtt_sessions import MESSAGES, RELEASES, UNRELEASED, hash_of
from actors.ports.logins import Logins
from roost.embedded.broker import SUBSCRIPTIONS_MAX
from roost.embedded.broker_config import PARTITIONS
from tests.contract import habits
from tests.contract.servers import Nats, Served
from tests.support import wire

OURS = [plan.client_id for plan in partition_plans(PARTITIONS)]
PATIENCE_S = 10.0
_numbers = itertools.count()


class Place(Protocol):
    """A broker, its clients, and our power over them."""

    def connect(self, client_id: str, *, clean: bool) -> None: ...
    async def leave(self, client_id: str) -> None: ...
    async def kill(self) -> None: ...
    def open(self) -> AbstractAsyncContextManager[Logins]: ...


class Twin:
    def __init__(self) -> None:
        self._broker = MemoryBroker(partition_plans(PARTITIONS))

    def connect(self, client_id: str, *, clean: bool) -> None:
        self._broker.clients.connect(client_id, is_clean=clean)

    async def leave(self, client_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self._broker.clients.leave(client_id)

    async def kill(self) -> None:
        await trio.lowlevel.checkpoint()
        self._broker.restart(killed=True)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Logins]:
        yield MemoryLogins(self._broker)


class Real:
    """Clients log in by Roost's own name, which needs no answer."""

    def __init__(self, folder: Path) -> None:
        self.nats = Nats(folder)
        self.served = Served(self.nats, habits.NATS)
        self.lines: dict[str, socket.socket] = {}

    def close(self) -> None:
        for line in self.lines.values():
            line.close()
        self.served.close()

    def connect(self, client_id: str, *, clean: bool) -> None:
        line = self.line(client_id, clean=clean)
        assert wire.subscribe(line, [f"live/u/{client_id}", "live/v/#"], 1) == b"\x01\x01"
        self.lines[client_id] = line

    def line(self, client_id: str, *, clean: bool) -> socket.socket:
        address = self.nats.address
        login = (address.username or "", address.password or "")
        return wire.connect(address.host, address.port, client_id, *login, clean=clean)

    async def leave(self, client_id: str) -> None:
        with self.lines.pop(client_id) as line:
            await trio.to_thread.run_sync(wire.leave, line)

    async def kill(self) -> None:
        await self.served.restart("kill")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        store: Any = MemoryStore(ManualClock())
        access = self.nats.server.access
        async with open_logins(access, store, ManualClock(), PARTITIONS, OURS) as logins:
            yield logins


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    real = Real(tmp_path_factory.mktemp("nats"))
    yield real
    real.close()


@pytest.fixture(params=["memory", "nats"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each broker; a client id of its own for each session keeps the tests apart."""
    return Twin() if request.param == "memory" else request.getfixturevalue("real")


def client_id(name: str = "listener") -> str:
    return f"{name}-00000000-0000-4000-8000-{next(_numbers):012d}"


async def is_kept(logins: Logins, wanted: str) -> bool | None:
    """Whether its session is there with its client gone for good; None: there is none."""
    found = {each.client_id: each.is_gone for each in await logins.kept()}
    return found.get(wanted)


async def until_kept(logins: Logins, wanted: str, so: bool | None) -> None:
    """A broker may take a moment to notice that somebody has gone."""
    with trio.fail_after(PATIENCE_S):
        while await is_kept(logins, wanted) is not so:
            await trio.sleep(0.02)


async def test_a_session_stays_without_its_client_until_it_is_forgotten(place: Place) -> None:
    mine, other = client_id(), client_id()
    async with place.open() as logins:
        for each in (mine, other):
            place.connect(each, clean=False)
        assert await is_kept(logins, mine) is False
        await place.leave(mine)
        assert await is_kept(logins, mine) is False
        await logins.forget(mine)
        assert await is_kept(logins, mine) is None
        assert await is_kept(logins, other) is False
        await logins.forget(mine)  # again: nothing happens


async def test_a_clean_session_goes_with_its_client(place: Place) -> None:
    mine = client_id()
    async with place.open() as logins:
        place.connect(mine, clean=True)
        assert await is_kept(logins, mine) is False
        await place.leave(mine)
        await until_kept(logins, mine, None)


async def test_a_killed_broker_leaves_clean_sessions_of_nobody_behind(place: Place) -> None:
    mine, other = client_id(), client_id()
    async with place.open() as logins:
        place.connect(mine, clean=True)
        place.connect(other, clean=False)
    await place.kill()
    async with place.open() as logins:
        assert await is_kept(logins, mine) is True
        assert await is_kept(logins, other) is False
        await logins.forget(mine)
        assert await is_kept(logins, mine) is None


async def test_all_clients_of_a_name_are_forgotten_and_no_others(place: Place) -> None:
    name, other = client_id(), client_id()
    async with place.open() as logins:
        for each in (f"{name}-a", f"{name}-b", other):
            place.connect(each, clean=False)
        await place.leave(f"{name}-b")
        await logins.kept()  # as it is asked before anybody may log in
        await logins.forget_user(name)
        for each in (f"{name}-a", f"{name}-b"):
            assert await is_kept(logins, each) is None
        assert await is_kept(logins, other) is False


# NATS alone


async def asked(logins: Any, name: str, body: dict[str, Any] | None = None) -> Any:
    return await logins._bridge.run(call, logins._auth, name, body or {}, mqtt_sessions._any, ())


async def consumers(logins: Any, client_id: str) -> list[str]:
    """Those that belong to a session."""
    found = []
    for stream in (MESSAGES, RELEASES):
        names = (await asked(logins, f"CONSUMER.NAMES.{stream}"))["consumers"] or []
        found += [name for name in names if hash_of(client_id) in name]
    return found


async def test_with_a_session_its_consumers_go_and_what_it_had_not_released(real: Real) -> None:
    mine = client_id()
    async with real.open() as logins:
        with real.line(mine, clean=False) as line:
            assert wire.subscribe(line, ["live/a", "live/b", "live/c/#"], 1) == b"\x01" * 3
            assert wire.subscribe(line, ["live/d"], 2) == b"\x02"
            line.sendall(wire._packet(0x34, wire._string("live/x") + b"\x00\x07" + b"held"))
            assert line.recv(4) == b"\x50\x02\x00\x07"
            assert len(await consumers(logins, mine)) == 6
            before = (await asked(logins, f"STREAM.INFO.{UNRELEASED}"))["state"]["messages"]
            await logins.forget(mine)
            assert line.recv(1) == b""  # its connection is closed
        assert await consumers(logins, mine) == []
        after = (await asked(logins, f"STREAM.INFO.{UNRELEASED}"))["state"]["messages"]
        assert (before, after) == (1, 0)


async def test_the_broker_has_forgotten_it_in_its_memory_too(real: Real) -> None:
    """It refused that client id until its end: the session was another one than on its disk."""
    mine = client_id()
    async with real.open() as logins:
        real.connect(mine, clean=False)
        await real.leave(mine)
        await logins.forget(mine)
        with real.line(mine, clean=False) as line:  # CONNACK is checked for its code
            assert wire.subscribe(line, ["live/a"], 1) == b"\x01"
            assert len(await consumers(logins, mine)) == 1


async def test_those_count_that_are_connected_or_have_a_session_that_is_kept(real: Real) -> None:
    clean, kept = client_id(), client_id()
    user = real.nats.address.username
    async with real.open() as logins:

        async def there(name: str | None, *known: str) -> set[str]:
            """Of both, which are; the name has other clients, too."""
            return set(await logins._there(name, known)) & {clean, kept}

        assert await there(user, clean, kept) == set()
        real.connect(clean, clean=True)
        real.connect(kept, clean=False)
        assert await there(user) == {clean, kept}
        assert await there("another", clean, kept) == {kept}
        await real.leave(clean)
        await real.leave(kept)
        with trio.fail_after(PATIENCE_S):
            while await there(user, clean, kept) != {kept}:
                await trio.sleep(0.02)


async def test_none_of_ours_is_told_of_or_forgotten(real: Real) -> None:
    async with real.open() as logins:
        with ExitStack() as lines:
            for name in OURS[:2]:
                line = lines.enter_context(real.line(name, clean=False))
                assert wire.subscribe(line, [f"part/9/{name}"], 1) == b"\x01"
            assert not {each.client_id for each in await logins.kept()} & set(OURS)
            await logins.forget(OURS[0])
            line.settimeout(0.5)
            with pytest.raises(TimeoutError):
                line.recv(1)  # it goes on
        for name in OURS[:2]:
            assert len(await consumers(logins, name)) == 1


async def test_consumers_without_a_session_are_cleared_away(
    real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, kept = client_id(), client_id()
    async with real.open() as logins:
        for each in (lost, kept):
            real.connect(each, clean=False)
        await real.leave(lost)
        gone = {"filter": mqtt_sessions.SESSION_SUBJECT + hash_of(lost)}
        await asked(logins, f"STREAM.PURGE.{mqtt_sessions.SESSIONS}", gone)
        gone = {"filter": mqtt_sessions.SESSION_SUBJECT + hash_of(OURS[0])}
        with real.line(OURS[0], clean=False) as line:
            wire.subscribe(line, ["part/9/x"], 1)
            await asked(logins, f"STREAM.PURGE.{mqtt_sessions.SESSIONS}", gone)
        assert await logins.clear_away() == 0  # they may be of one that is just being made
        monkeypatch.setattr(mqtt_sessions, "ORPHAN_AFTER", timedelta())
        assert await logins.clear_away() == 3
        assert await consumers(logins, lost) == []
        assert len(await consumers(logins, kept)) == 3
        assert await consumers(logins, OURS[0])


async def test_a_connection_has_so_many_subscriptions_and_no_more(real: Real) -> None:
    async with real.open() as logins:
        with real.line(client_id(), clean=True) as line:
            topics = [f"live/{n}" for n in range(SUBSCRIPTIONS_MAX + 36)]
            granted = wire.subscribe(line, topics, 0)
            assert granted == b"\x00" * SUBSCRIPTIONS_MAX + b"\x80" * 36
            await logins.kept()  # and ours go on

"""Copies of the broker's streams, made while it runs, and put into another broker."""

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from actors.adapters.nats.mqtt_sessions import MESSAGES, SESSIONS
from actors.adapters.nats.stream_copies import PIECE_BYTES, Head, open_streams
from protocol.errors import Unavailable
from tests.contract import habits
from tests.contract.servers import Nats, Served
from tests.support import wire

SESSION = "roost-part-0"
MANY = 2_000  # several pieces
_rng = random.Random(1)

Copied = dict[str, tuple[Head, list[bytes]]]


class Broker:
    def __init__(self, folder: Path) -> None:
        self.nats = Nats(folder)
        self.served = Served(self.nats, habits.NATS)

    def line(self, client_id: str, *, clean: bool = True) -> socket.socket:
        address = self.nats.address
        login = (address.username or "", address.password or "")
        return wire.connect(address.host, address.port, client_id, *login, clean=clean)

    def close(self) -> None:
        self.served.close()


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[tuple[Broker, Broker]]:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    both = Broker(tmp_path / "one"), Broker(tmp_path / "other")
    yield both
    for each in both:
        each.close()


async def copied(broker: Broker) -> Copied:
    found: Copied = {}
    async with open_streams(broker.nats.server.access) as streams:
        assert await streams.waiting([SESSION]) == MANY
        names = await streams.names()
        assert names.index(SESSIONS) < names.index(MESSAGES)
        for name in names:
            pieces = []
            async with streams.copy(name) as copy:
                while data := await copy.next():
                    pieces.append(data)
            found[name] = copy.head, pieces
    return found


async def test_what_a_session_had_not_acknowledged_is_delivered_from_the_copy(
    brokers: tuple[Broker, Broker],
) -> None:
    one, other = brokers
    with one.line(SESSION, clean=False) as line:
        wire.subscribe(line, ["live/u/#"], 1)
        wire.leave(line)
    with one.line("others-1") as line:
        messages = [(f"live/u/{n}", _rng.randbytes(200)) for n in range(MANY)]
        wire.publish_all(line, messages)
    found = await copied(one)
    assert len(found[MESSAGES][1]) > 1
    assert all(len(piece) <= PIECE_BYTES for piece in found[MESSAGES][1])
    async with open_streams(other.nats.server.access) as streams:
        assert await streams.names() == []
        for head, pieces in found.values():
            await streams.put(head, pieces)
        assert await streams.waiting([SESSION]) == MANY
        with pytest.raises(Unavailable, match="in use"):
            await streams.put(*found[SESSIONS])
    with other.line(SESSION, clean=False) as line:
        line.settimeout(10)
        assert b"live/u/0" in await trio.to_thread.run_sync(line.recv, 65_536)


async def test_a_copy_that_is_damaged_is_refused(brokers: tuple[Broker, Broker]) -> None:
    one, other = brokers
    with one.line(SESSION, clean=False) as line:
        wire.subscribe(line, ["live/u/#"], 1)
        async with (
            open_streams(one.nats.server.access) as streams,
            streams.copy(MESSAGES) as copy,
            open_streams(other.nats.server.access) as there,
        ):
            with pytest.raises(Unavailable, match="does not restore"):
                await there.put(copy.head, [b"nothing of a stream"])

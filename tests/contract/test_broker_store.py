"""The embedded broker's store has bounds, and nobody fills it for others for long."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import nats
import pytest
import trio

from actors.adapters.asyncio_bridge import Bridge, open_bridge
from actors.adapters.nats.mqtt_sessions import MESSAGES, UNRELEASED, hash_of
from actors.adapters.nats.store_bounds import UNRELEASED_EACH, StoreBounds
from actors.ports.broker import SessionPlan
from protocol import codec
from roost.embedded import data_dir
from roost.embedded.broker import EmbeddedBroker
from roost.embedded.broker_store import BYTES_MIN, size_of
from roost.embedded.disk import used_bytes
from tests.support.mqtt_line import Line, publication

OURS = SessionPlan(client_id="roost-part-0", filters=("part/#",), window=100)
KILOBYTE = b"x" * 1024


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    secrets = data_dir.read_secrets(tmp_path)
    made = EmbeddedBroker(
        tmp_path / "data", tmp_path / "log", "127.0.0.1", 0, secrets, size=BYTES_MIN
    )
    process = trio.run(made.start)
    yield made
    process.terminate()
    process.wait(10)


class Rig:
    """The bounds, and whom they disconnected."""

    def __init__(self, server: EmbeddedBroker, bridge: Bridge, connection: Any) -> None:
        self.disconnected: list[str] = []
        self._server = server
        self._bridge = bridge
        self._connection = connection
        self.bounds = self.bounds_with()

    def bounds_with(self, **options: float) -> StoreBounds:
        return StoreBounds(
            self._bridge, self._connection, [OURS], BYTES_MIN, self._disconnect, **options
        )

    async def _disconnect(self, client_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self.disconnected.append(client_id)

    def line(self, client_id: str, *, clean: bool = True) -> Line:
        address = self._server.address
        assert address.username is not None and address.password is not None
        return Line(address.port, client_id, address.username, address.password, clean=clean)

    async def ask(self, name: str) -> Any:
        request = partial(self._connection.request, f"$JS.API.{name}", b"{}", timeout=5)
        return codec.decode((await self._bridge.run(request)).data)

    async def stream(self, name: str) -> Any:
        return await self.ask(f"STREAM.INFO.{name}")


@pytest.fixture
async def rig(server: EmbeddedBroker) -> AsyncIterator[Rig]:
    async with open_bridge("test") as bridge:
        access = server.access
        connect = partial(nats.connect, access.url, user="auth", password=access.auth_password)
        connection = await bridge.run(connect)
        yield Rig(server, bridge, connection)
        await bridge.run(connection.close)


def pump(line: Line, topic: str, many: int, qos: int, payload: bytes = KILOBYTE) -> int:
    """Publish a kilobyte so many times; answers how often that was answered."""
    return line.publish(publication(topic, payload, n % 65_535 + 1, qos) for n in range(many))


async def test_a_stream_refuses_at_its_bound_and_takes_again_once_we_have_fetched(
    rig: Rig,
) -> None:
    """The server's own bound keeps everybody from connecting, us too."""
    with rig.line(OURS.client_id, clean=False) as ours:
        ours.subscribe("part/#")
    await rig.bounds.keep()
    limits = (await rig.stream(MESSAGES))["config"]
    assert (limits["discard"], limits["max_bytes"]) == ("new", BYTES_MIN * 3 // 4)
    with rig.line("device-1") as device:
        taken = pump(device, "part/0/x", 40_000, 1)
        assert 15_000 < taken < 25_000
        assert device.is_closed()
    assert await rig.bounds.keep() == []  # it is ours, whoever waits
    assert rig.bounds.bytes[MESSAGES] > BYTES_MIN // 2
    with rig.line("device-2") as device:  # anybody may come in, and say what is not kept
        device.subscribe("commands")
    with rig.line(OURS.client_id, clean=False) as ours:
        assert ours.had_session  # its subscription goes on, and what waits arrives at any moment
        # Deleted, as if it were fetched and acknowledged.
        await rig.ask(f"STREAM.PURGE.{MESSAGES}")
        with rig.line("device-1") as device:
            assert pump(device, "part/0/x", 10, 1) == 10


async def test_a_session_that_fetches_nothing_ends_before_it_fills_the_store(rig: Rig) -> None:
    with rig.line("listener-1", clean=False) as listener:
        listener.subscribe("live/#")
    await rig.bounds.keep()
    with rig.line("device-1") as device:
        assert pump(device, "live/x", 14_000, 1) == 14_000
    (ended,) = await rig.bounds.keep()
    assert (ended.session, ended.messages) == (hash_of("listener-1"), 14_000)
    assert (await rig.stream(MESSAGES))["state"]["messages"] == 0
    with rig.line("listener-1", clean=False) as listener:
        assert not listener.had_session
        listener.subscribe("live/#")  # and is served again
        with rig.line("device-1") as device:
            assert pump(device, "live/x", 1, 1) == 1
        assert listener.read(1) == bytes([0x32])


async def test_messages_that_are_never_released_end_with_their_client_and_nobody_elses(
    rig: Rig,
) -> None:
    with rig.line("honest", clean=False) as honest:
        await rig.bounds.keep()
        assert pump(honest, "part/0/x", 10, 2) == 10
        with rig.line("flooding") as flooding:
            assert pump(flooding, "forbidden/x", UNRELEASED_EACH + 1, 2) == UNRELEASED_EACH + 1
        (ended,) = await rig.bounds.keep()  # at once: their stream is half full
    assert (ended.client_id, ended.messages) == ("flooding", UNRELEASED_EACH + 1)
    assert rig.disconnected == ["flooding"]
    assert (await rig.stream(UNRELEASED))["state"]["messages"] == 10


async def test_a_backlog_that_comes_at_once_is_released_in_time(rig: Rig) -> None:
    """It was deleted, after its receipt was acknowledged: lost, each time the device was back."""
    rig.bounds = rig.bounds_with(patience_s=0.5)
    many = UNRELEASED_EACH + 1
    with rig.line("backlog", clean=False) as backlog:
        await rig.bounds.keep()
        assert pump(backlog, "part/0/x", many, 2, b"1") == many
        assert await rig.bounds.keep() == []
        backlog.release(1)
        await trio.sleep(0.6)
        assert await rig.bounds.keep() == []
        assert pump(backlog, "part/0/x", 1, 2, b"1") == 1  # again too many, from now on
        assert await rig.bounds.keep() == []
        await trio.sleep(0.6)
        (ended,) = await rig.bounds.keep()
    assert (ended.client_id, ended.messages) == ("backlog", many)


def test_a_store_that_is_larger_than_it_may_be_lets_us_in(tmp_path: Path) -> None:
    """With its bound reached the server writes no session: nobody could fetch what is there."""

    def serve(size: int) -> tuple[EmbeddedBroker, Any]:
        secrets = data_dir.read_secrets(tmp_path)
        made = EmbeddedBroker(
            tmp_path / "data", tmp_path / "log", "127.0.0.1", 0, secrets, size=size
        )
        return made, trio.run(made.start)

    def line(server: EmbeddedBroker, client_id: str) -> Line:
        password = server.address.password or ""
        return Line(server.port, client_id, "roost", password, clean=False)

    server, process = serve(3 * BYTES_MIN)
    with line(server, OURS.client_id) as ours, line(server, "device-1") as device:
        ours.subscribe("part/#")
        large = (publication("part/0/x", 8 * KILOBYTE, n, 1) for n in range(1, 5_001))
        assert device.publish(large) == 5_000
    process.terminate()
    process.wait(10)
    server, process = serve(BYTES_MIN)
    try:
        with line(server, OURS.client_id) as ours:
            assert ours.had_session
            assert ours.read(1)[0] & 0xF0 == 0x30  # what waits for us comes
    finally:
        process.terminate()
        process.wait(10)


def test_the_size_is_what_was_wanted_or_a_part_of_the_disk(tmp_path: Path) -> None:
    assert size_of(tmp_path, BYTES_MIN) == BYTES_MIN
    assert size_of(tmp_path, None) >= BYTES_MIN
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 5_000)
    assert used_bytes(tmp_path) == 5_000
    assert used_bytes(tmp_path / "none") == 0

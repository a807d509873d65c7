"""A device's connection, where the other side is no good: it ends, and leaves nothing open."""

import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from actors.adapters.asyncio_bridge import open_bridge
from actors.adapters.mqtt import client
from actors.adapters.mqtt.client import Address, close_client
from actors.adapters.mqtt.device import open_devices
from protocol.errors import Unavailable

Serve = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[Address]:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        yield Address("127.0.0.1", listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()


async def fails(address: Address) -> str:
    async with open_devices() as connect:
        with pytest.raises(Unavailable) as failed:
            async with connect(address, "device-1", "device-1", "secret"):
                raise AssertionError("it connected")
    return str(failed.value)


async def test_a_server_that_says_nothing_is_left_and_the_connection_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "CONNECT_TIMEOUT_S", 0.1)
    closed = trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        while await stream.receive_some():
            pass
        closed.set()

    async with serving(serve) as address:
        assert await fails(address) == "device device-1 cannot connect: the broker did not answer"
        with trio.fail_after(5):
            await closed.wait()


async def test_a_server_that_closes_before_it_answers_is_not_waited_for() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()

    async with serving(serve) as address:
        with trio.fail_after(client.CONNECT_TIMEOUT_S / 2):
            assert "did not answer" in await fails(address)


async def test_a_refusal_is_told_with_its_reason() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"\x20\x02\x00\x05")  # CONNACK: not authorized
        await stream.receive_some()

    async with serving(serve) as address:
        assert "refused" in await fails(address)


class Lost:
    """A client whose route is gone."""

    def __init__(self) -> None:
        self._client_id = "device-1"
        self._connection: Any = self
        self._transport: Any = self
        self.was_aborted = False

    def is_closing(self) -> bool:
        return False

    async def disconnect(self) -> None:
        raise OSError(errno.EHOSTUNREACH, "no route to host")

    def abort(self) -> None:
        self.was_aborted = True


async def test_a_good_bye_that_cannot_be_said_closes_the_connection_all_the_same() -> None:
    client: Any = Lost()
    async with open_bridge("test") as bridge:
        await bridge.run(close_client, client, 1.0)
    assert client.was_aborted

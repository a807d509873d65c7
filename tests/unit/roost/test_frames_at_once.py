"""Frames go out without a turn of other tasks where the kernel takes them, whole and in order where
it does not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Ping, Request, TextMessage

from roost import hardening
from tests.support.http_server import serving
from web.http.frames import Send, frames_of

LARGE = b"x" * 100_000
MANY = 200  # so much is in no socket's buffer


class Client:
    """A WebSocket of the field over a line."""

    def __init__(self, line: trio.abc.Stream) -> None:
        self._line = line
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._part = ""

    async def open(self) -> None:
        await self._line.send_all(self._ws.send(Request(host="x", target="/ws")))

    async def texts(self, many: int) -> list[str]:
        found: list[str] = []
        while len(found) < many:
            self._ws.receive_data(bytes(await self._line.receive_some(65_536)))
            for event in self._ws.events():
                if isinstance(event, TextMessage):
                    self._part += event.data
                    if event.message_finished:
                        found.append(self._part)
                        self._part = ""
                else:
                    assert isinstance(event, AcceptConnection | Ping)
        return found


@asynccontextmanager
async def sending() -> AsyncIterator[tuple[Client, Send, trio.SocketStream]]:
    """A client, and how the application sends to it."""
    known: list[Any] = []
    is_known = trio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        known.append(frames_of(SimpleNamespace(scope=scope)))  # type: ignore[arg-type]
        is_known.set()
        while (await receive())["type"] == "websocket.receive":
            pass

    with trio.fail_after(20):
        async with serving(app=application) as server, await server.connect_tcp() as line:
            client = Client(line)
            await client.open()
            await is_known.wait()
            yield client, known[0], line


async def test_others_have_no_turn_while_the_kernel_takes_all() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with sending() as (client, send, _), trio.open_nursery() as nursery:
        await trio.testing.wait_all_tasks_blocked()  # the server's first ping is out
        nursery.start_soon(count)
        await trio.lowlevel.checkpoint()
        before = turns
        for n in range(20):
            await send([b"%d" % n], 5.0)
        assert turns == before
        assert await client.texts(20) == [str(n) for n in range(20)]
        nursery.cancel_scope.cancel()


async def test_what_the_kernel_does_not_take_follows_in_order_whoever_sends() -> None:
    """Two tasks of one socket: what is cut in the middle is finished before anything else."""
    async with sending() as (client, send, _), trio.open_nursery() as nursery:

        async def say(who: bytes) -> None:
            for n in range(MANY):
                await send([b"%s%d " % (who, n) + LARGE], 10.0)

        nursery.start_soon(say, b"a")
        nursery.start_soon(say, b"b")
        found = await client.texts(2 * MANY)
    assert all(text.endswith(LARGE.decode()) and len(text) < len(LARGE) + 8 for text in found)
    for who in "ab":
        mine = [text.split(" ")[0] for text in found if text.startswith(who)]
        assert mine == [f"{who}{n}" for n in range(MANY)]


async def test_a_client_that_reads_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardening, "SEND_WITHIN_S", 0.2)
    async with sending() as (_, send, line):
        for _ in range(MANY):
            await send([LARGE], 5.0)
        heard = 0
        with suppress(trio.BrokenResourceError):  # it was closed with something unsent
            while part := await line.receive_some(1 << 20):
                heard += len(part)
        assert heard < MANY * len(LARGE) / 2


async def test_what_is_sent_to_a_client_that_has_gone_is_lost_without_an_error() -> None:
    async with sending() as (_, send, line):
        await line.aclose()
        for _ in range(50):
            await send([LARGE], 5.0)
            await trio.lowlevel.checkpoint()

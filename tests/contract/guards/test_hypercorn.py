"""What `roost.hardening` and `roost.socket_ends` take hypercorn's private parts for.

A release that calls them otherwise, or not at all, fails here. Some of it is seen by
`tests/unit/roost/test_http_server.py`, too.
"""

import gc
from typing import Any

import pytest
import trio
import trio.testing
from hypercorn.trio import serve

from roost.hardening import SEND_WITHIN_S, BoundedBuffer, ServerConfig, harden
from tests.support.http_server import (
    HEAD,
    HEAD_WITHIN_S,
    UPGRADE,
    Server,
    application,
    serving,
    text_frame,
    until_closed,
)
from web.http.connections import Connections

H2C = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEA\r\n\r\n"
)
PRIOR_KNOWLEDGE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"


async def upgraded(server: Server, more: bytes = b"") -> tuple[Any, bytes]:
    line = server.connect()
    await line.send_all(UPGRADE.removesuffix(b"\r\n") + more + b"\r\n")
    return line, bytes(await line.receive_some(65_536))


async def heard(line: Any, what: bytes) -> None:
    """Wait until it came."""
    said = b""
    with trio.fail_after(5):
        while what not in said:
            said += (part := await line.receive_some(65_536))
            assert part, f"closed after {said!r}"


async def test_what_is_served_is_served_by_our_server() -> None:
    """`serve` looks `TCPServer` up where it is replaced: the bound of connections holds."""
    harden()
    connections = Connections(most=0, of_address_max=0, is_trusted=lambda address: False)
    config = ServerConfig(connections)
    config.bind = ["127.0.0.1:0"]
    app: Any = application
    async with trio.open_nursery() as nursery:
        (url,) = await nursery.start(serve, app, config)
        host, _, port = url.removeprefix("http://").partition(":")
        async with await trio.open_tcp_stream(host, int(port)) as line:
            with trio.fail_after(5):
                assert await until_closed(line) == b""
        nursery.cancel_scope.cancel()


async def test_http_2_is_not_spoken_without_tls(autojump_clock: Any) -> None:
    async with serving() as server:
        line = server.connect()
        await line.send_all(H2C)
        assert (await line.receive_some(65_536)).startswith(b"HTTP/1.1 204")
        line = server.connect()
        await line.send_all(PRIOR_KNOWLEDGE)
        answer = await until_closed(line)
        assert answer.startswith(b"HTTP/1.1 ")


async def test_no_extension_of_a_websocket_is_agreed_to(autojump_clock: Any) -> None:
    async with serving() as server:
        _, answer = await upgraded(server, b"Sec-WebSocket-Extensions: permessage-deflate\r\n")
        assert answer.startswith(b"HTTP/1.1 101")
        assert b"extensions" not in answer.lower()


async def test_a_message_that_is_too_long_is_refused_before_it_is_kept(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    extend = BoundedBuffer.extend

    def seen(self: BoundedBuffer, event: Any) -> None:
        try:
            extend(self, event)
        finally:
            kept.append(self.length)

    monkeypatch.setattr(BoundedBuffer, "extend", seen)
    async with serving() as server:
        server.config.websocket_max_message_size = 100
        line, _ = await upgraded(server)
        half = text_frame(bytes(60))[1:]
        await line.send_all(b"\x01" + half + b"\x00" + half)
        await heard(line, b"\x88\x02" + (1009).to_bytes(2, "big"))  # "message too big"
    assert kept == [60, 0]


async def test_what_follows_an_answer_happens_though_the_request_is_cancelled(
    autojump_clock: Any,
) -> None:
    """Quart cancels a request's task as soon as its answer is sent."""

    async def cancelled(scope: Any, receive: Any, send: Any) -> None:
        with trio.CancelScope() as request:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            request.cancel()
            await send({"type": "http.response.body", "body": b""})

    async with serving(app=cancelled) as server:
        line = server.connect()
        for _ in range(3):
            await line.send_all(HEAD)
            with trio.fail_after(1):
                assert (await line.receive_some(65_536)).startswith(b"HTTP/1.1 204")
            await trio.testing.wait_all_tasks_blocked()


async def test_a_client_that_has_gone_is_not_waited_for(autojump_clock: Any) -> None:
    async with serving() as server:
        for asks in (True, False):
            line = server.connect()
            if asks:
                await line.send_all(HEAD)
                await line.receive_some(65_536)
            await line.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert len(server.connections) == 0


async def test_a_client_that_takes_nothing_is_left(autojump_clock: Any) -> None:
    async with serving() as server, server.connect(buffered=False) as line:
        await line.send_all(HEAD)
        await trio.sleep(SEND_WITHIN_S - 1)
        assert len(server.connections) == 1
        await trio.sleep(1 + HEAD_WITHIN_S + 1)
        assert len(server.connections) == 0


@pytest.mark.parametrize("name", ["Protocol", "Extensions"])
async def test_what_fails_on_a_connection_fails_there(autojump_clock: Any, name: str) -> None:
    async with serving() as server:
        other, _ = await upgraded(server)
        line = server.connect()
        header = f"Sec-WebSocket-{name}: ".encode() + b"\xff\r\n\r\n"
        await line.send_all(UPGRADE.removesuffix(b"\r\n") + header)
        with trio.fail_after(5):
            await until_closed(line)
        await other.send_all(text_frame(b"still there"))
        await heard(other, b"still there")
    gc.collect()  # nothing of it warns when it goes


async def test_a_place_is_known_to_the_application(autojump_clock: Any) -> None:
    """It comes with the state of the connection, and is that of the server's own count."""
    places: list[Any] = []

    async def asks(scope: Any, receive: Any, send: Any) -> None:
        places.append(scope["state"]["place"])
        await application(scope, receive, send)

    async with serving(app=asks) as server:
        line = server.connect()
        await line.send_all(HEAD)
        await line.receive_some(65_536)
        assert len(server.connections) == 1
        places[0].leave()
        assert len(server.connections) == 0

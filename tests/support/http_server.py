"""hypercorn's server as it is mended, over lines of memory, before an application that answers."""

import base64
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import trio
import trio.testing
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.trio.worker_context import WorkerContext

from roost.hardening import ContainedServer, ServerConfig, harden
from web.http.connections import Connections, known
from web.http.frames import SEND_FRAMES, frames_of

Application = Callable[[Any, Any, Any], Awaitable[None]]
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(b"x" * 16) + b"\r\n\r\n"
)
PING = b"\x89\0"
HEAD_WITHIN_S = 5


def text_frame(text: bytes) -> bytes:
    """Masked with zeros (RFC 6455 §5.2)."""
    return bytes([0x81, 0x80 | len(text)]) + b"\0\0\0\0" + text


class Line:
    """A stream that has an address."""

    def __init__(self, stream: trio.StapledStream[Any, Any], address: str) -> None:
        self._stream = stream
        self._address = address
        self.socket = self
        self.family = socket.AF_INET

    def getpeername(self) -> tuple[str, int]:
        return self._address, 4711

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 80

    def __getattr__(self, name: str) -> Any:
        if name in ("do_handshake", "transport_stream"):
            raise AttributeError(name)
        return getattr(self._stream, name)


class AgreedLine(Line):
    """A stream on which TLS has agreed on HTTP/2; nothing is encrypted."""

    @property
    def transport_stream(self) -> "AgreedLine":
        return self

    async def do_handshake(self) -> None:
        await trio.lowlevel.checkpoint()

    def selected_alpn_protocol(self) -> str:
        return "h2"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers; says what it hears back."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    await receive()
    await trio.sleep(0.1)  # accepts a moment after the upgrade
    if scope["path"] == "/refused":
        await send({"type": "websocket.close"})
        return
    if scope["path"] == "/known":
        known(scope)
    await send({"type": "websocket.accept"})
    if scope["path"] == "/frames":
        many = frames_of(SimpleNamespace(scope=scope))  # type: ignore[arg-type]
        assert many == scope["state"][SEND_FRAMES]
        await many([b"%d" % n for n in range(1_000)], 10.0)
        await receive()
        await send({"type": "websocket.close"})
        await many([b"behind the end"], 10.0)
        return
    while (heard := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": heard["text"]})


class Server:
    """Takes connections."""

    def __init__(self, nursery: trio.Nursery, most: int, app: Application) -> None:
        harden()
        self.connections = Connections(
            most=most, of_address_max=100, is_trusted=lambda address: False
        )
        self._nursery = nursery
        self._app: Any = ASGIWrapper(app)
        self.config = ServerConfig(self.connections)
        self.config.keep_alive_timeout = HEAD_WITHIN_S
        self.config.websocket_ping_interval = 20.0

    def connect(
        self, address: str = "203.0.113.9", *, buffered: bool = True, http2: bool = False
    ) -> trio.StapledStream[Any, Any]:
        """Without a buffer, what is sent waits until the other side reads."""
        pair: Any = (
            trio.testing.memory_stream_pair if buffered else trio.testing.lockstep_stream_pair
        )
        ours, theirs = pair()
        line: trio.StapledStream[Any, Any] = theirs
        stream: Any = (AgreedLine if http2 else Line)(ours, address)
        self._serve(stream)
        return line

    async def connect_tcp(self) -> trio.SocketStream:
        """By the kernel: a clock that jumps does not know that it works."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            line = await trio.testing.open_stream_to_socket_listener(listener)
            self._serve(await listener.accept())
        return line

    def _serve(self, stream: Any) -> None:
        server = ContainedServer(self._app, self.config, WorkerContext(None), {}, stream)
        self._nursery.start_soon(server.run)


@asynccontextmanager
async def serving(most: int = 100, app: Application = application) -> AsyncIterator[Server]:
    async with trio.open_nursery() as nursery:
        yield Server(nursery, most, app)
        nursery.cancel_scope.cancel()


async def until_closed(line: trio.abc.ReceiveStream) -> bytes:
    heard = b""
    while part := await line.receive_some(65_536):
        heard += part
    return heard

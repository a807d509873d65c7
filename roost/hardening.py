"""Replaces parts of hypercorn 0.18, in one place.

- An error of one connection (a header that is not ASCII, a malformed upgrade) ends `serve` for all
  (its #225). Here it ends that connection only.
- Sends are shielded without a limit, so a client that stops reading blocks its task for ever. Here
  a send has a deadline.
- A WebSocket message is buffered before its size is checked, also when it is compressed. Here the
  size is checked first, and compression is never agreed.
- HTTP/2 without TLS is an unwanted attack surface. Here it is switched off; for HTTP/2 over TLS see
  `roost.http2`.
- The end of a TLS connection waits until its client has read everything. Here it has a deadline.
- What follows an answer (the next request, the close, the idle time-out) runs in the request's own
  task, which Quart cancels in the middle. Then the connection stays open for ever, and further
  requests on it are not answered (as in its #25). Here that part is shielded.
- Each sent piece first lets all other tasks run, because of the lock that it takes. Here only if
  another piece is being sent.
- It accepts connections until no file can be opened any more. Here connections are limited, per
  address and in all (`web.http.connections`).
- Bytes that arrive with an upgrade, before its answer, are refused with a traceback, and a
  WebSocket that has ended keeps its connection: see `roost.socket_ends`.

Guarded by `tests/contract/guards/test_hypercorn.py`, `tests/unit/roost/test_http_server.py`,
`tests/real/test_strangers.py` and `tests/real/test_connections.py`.
"""

import os
import ssl
from typing import Any

import hypercorn.protocol
import hypercorn.protocol.h2
import hypercorn.protocol.h11
import hypercorn.protocol.ws_stream
import hypercorn.trio.run
import structlog
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.ws_stream import FrameTooLargeError, WebsocketBuffer
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.typing import ConnectionState

from roost.http2 import SEND_WITHIN_S as SEND_WITHIN_S
from roost.http2 import BoundedH2, WaitingBuffer
from roost.socket_ends import WRITE_NOW, PatientStream
from web.http.connections import Connections, Place

log = structlog.get_logger("roost.web")

CLOSE_WITHIN_S = 1.0


class ServerConfig(Config):
    """hypercorn's configuration, and which connections may stay.

    Args:
        tls: None: without TLS.
    """

    def __init__(self, connections: Connections, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.connections = connections
        self._tls = tls

    @property
    def ssl_enabled(self) -> bool:
        return self._tls is not None

    def create_ssl_context(self) -> ssl.SSLContext | None:
        return self._tls


class ContainedServer(TCPServer):
    """A connection whose failure is contained, and that may have to give way to others."""

    config: ServerConfig
    place: Place | None = None

    async def run(self) -> None:
        given_way = trio.CancelScope()
        address = _address(self.stream)
        if address is not None:
            self.place = self.config.connections.come(address, given_way.cancel)
        if self.place is None:
            await trio.aclose_forcefully(self.stream)
            return
        mine = {"place": self.place, WRITE_NOW: self._write_now}
        self.state = ConnectionState({**self.state, **mine})
        try:
            with given_way:
                await super().run()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is this connection's)
            # Without a traceback, because strangers decide what is in it.
            log.warning("connection failed", error=type(error).__name__)
        finally:
            self.place.leave()
            # A cancellation leaves hypercorn's own close incomplete.
            with trio.move_on_after(CLOSE_WITHIN_S, shield=True):
                await trio.aclose_forcefully(self.stream)

    async def _read_data(self) -> None:
        """Do not wait for a client that has gone as for one that is idle."""
        await super()._read_data()
        await self.idle_task.stop()

    async def _initiate_server_close(self) -> None:
        """No request, or only a part of one, arrived for too long."""
        said, _ = getattr(self.protocol.protocol.connection, "trailing_data", (b"", False))
        if said and self.place is not None and not self.context.terminated.is_set():
            self.place.slow_head()
        with trio.move_on_after(CLOSE_WITHIN_S):
            await super()._initiate_server_close()

    async def _close(self) -> None:
        with trio.move_on_after(CLOSE_WITHIN_S):
            await super()._close()

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, Updated) and self.place is not None:
            if event.idle:
                self.place.idle()
            else:
                self.place.asks()
        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        try:
            # `async with` lets all other tasks run even if the lock is free: each frame would wait.
            self.send_lock.acquire_nowait()
        except trio.WouldBlock:
            await self.send_lock.acquire()
        try:
            await self._send(event.data)
        finally:
            self.send_lock.release()

    def _write_now(self, data: bytes) -> bytes:
        """Write what the kernel accepts at once, and return the rest: all of it if another task is
        writing, or if it must be encrypted first."""
        if self.send_lock.locked() or not isinstance(self.stream, trio.SocketStream):
            return data
        try:
            return data[os.write(self.stream.socket.fileno(), data) :]
        except OSError:  # the buffer is full, or the client gone: `send_all` handles it
            return data

    async def _send(self, data: bytes) -> None:
        gone = False
        with trio.move_on_after(SEND_WITHIN_S, shield=True) as scope:
            try:
                await self.stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                gone = True
        if scope.cancelled_caught:
            log.info("client takes nothing; closed")
            await trio.aclose_forcefully(self.stream)
        if gone or scope.cancelled_caught:
            await self.protocol.handle(Closed())


def _address(stream: Any) -> str | None:
    """The peer's address; None if it has gone already."""
    try:
        return str(getattr(stream, "transport_stream", stream).socket.getpeername()[0])
    except OSError:
        return None


class BoundedBuffer(WebsocketBuffer):
    """Checks the size before it stores anything."""

    def extend(self, event: Any) -> None:
        if self.length + len(event.data) > self.max_length:
            self.clear()
            raise FrameTooLargeError
        super().extend(event)


_maybe_recycle = hypercorn.protocol.h11.H11Protocol._maybe_recycle


async def _recycle_whole(self: hypercorn.protocol.h11.H11Protocol) -> None:
    """Nothing in it waits for the client; the deadline is a safeguard."""
    with trio.move_on_after(SEND_WITHIN_S, shield=True):
        await _maybe_recycle(self)


async def _stay_http_1(self: object, event: object) -> None:
    """In place of the check for an upgrade to HTTP/2."""


def _agree_to_nothing(*offered: object) -> None:
    """In place of the agreement on WebSocket extensions."""


PATCHES: tuple[tuple[Any, str, Any], ...] = (
    (hypercorn.trio.run, "TCPServer", ContainedServer),
    (hypercorn.protocol, "H2Protocol", BoundedH2),
    (hypercorn.protocol.h2, "StreamBuffer", WaitingBuffer),
    (hypercorn.protocol.ws_stream, "WebsocketBuffer", BoundedBuffer),
    (hypercorn.protocol.h11, "WSStream", PatientStream),
    (hypercorn.protocol.ws_stream, "server_extensions_handshake", _agree_to_nothing),
    (hypercorn.protocol.h11.H11Protocol, "_check_protocol", _stay_http_1),
    (hypercorn.protocol.h11.H11Protocol, "_maybe_recycle", _recycle_whole),
)


def harden() -> None:
    """Replace these parts of hypercorn. Doing it twice changes nothing."""
    for place, name, ours in PATCHES:
        assert hasattr(place, name), f"hypercorn has no {name} any more"
        setattr(place, name, ours)

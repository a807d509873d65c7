"""What hypercorn 0.18 leaves to whoever serves strangers, set right in one place.

- An error of one connection (a header that is not ASCII, a malformed upgrade) ends `serve` for all
  (its #225): here it ends that connection.
- Sends are shielded without a limit, so a client that stops reading holds its task for ever: here
  a send has a deadline.
- A WebSocket message is buffered before its size is looked at, also when it was compressed: here
  the bound comes first, and no compression is agreed to.
- HTTP/2 without TLS is a door that nobody asked for: here it is closed.
- What follows an answer (the next request, the close, the idle time-out) runs in the request's own
  task, which Quart cancels in the middle of it: then the connection stays open for ever, and what
  is asked on it is not answered (as in its #25). Here that part is shielded.
- Each piece that goes out gives all other tasks a turn first, by the lock that it takes: here only
  where another piece is on its way.
- It takes connections until no file can be opened any more: here so many of an address, and of all
  (`web.http.connections`).
- What comes with an upgrade, before it is answered, is refused with a traceback, and a WebSocket
  that has ended keeps its connection: see `roost.socket_ends`.

Guarded by `tests/contract/guards/test_hypercorn.py`, `tests/unit/roost/test_http_server.py`,
`tests/real/test_strangers.py` and `tests/real/test_connections.py`.
"""

import os
from typing import Any

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

from roost.socket_ends import WRITE_NOW, PatientStream
from web.http.connections import Connections, Place

log = structlog.get_logger("roost.web")

# A client that takes nothing for so long is gone, whatever its socket says.
SEND_WITHIN_S = 30.0


class ServerConfig(Config):
    """hypercorn's, and which connections may stay."""

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self.connections = connections


class ContainedServer(TCPServer):
    """A connection whose failure is its own, and that may have to give way to others."""

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
            # Without a traceback: strangers decide what is in it.
            log.warning("connection failed", error=type(error).__name__)
        finally:
            self.place.leave()
            # What is cancelled leaves hypercorn's own close half done.
            with trio.move_on_after(1, shield=True):
                await trio.aclose_forcefully(self.stream)

    async def _read_data(self) -> None:
        """A client that has gone is not waited for as one that is idle."""
        await super()._read_data()
        await self.idle_task.stop()

    async def _initiate_server_close(self) -> None:
        """Nothing was asked for too long, or not to its end."""
        said, _ = getattr(self.protocol.protocol.connection, "trailing_data", (b"", False))
        if said and self.place is not None and not self.context.terminated.is_set():
            self.place.slow_head()
        await super()._initiate_server_close()

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
            # `async with` gives all others a turn even where it is free: each frame would wait.
            self.send_lock.acquire_nowait()
        except trio.WouldBlock:
            await self.send_lock.acquire()
        try:
            await self._send(event.data)
        finally:
            self.send_lock.release()

    def _write_now(self, data: bytes) -> bytes:
        """Write what the kernel takes at once, and answer with the rest: all of it where somebody
        else is writing, or where it has to be encrypted first."""
        if self.send_lock.locked() or not isinstance(self.stream, trio.SocketStream):
            return data
        try:
            return data[os.write(self.stream.socket.fileno(), data) :]
        except OSError:  # it is full, or gone: `send_all` waits, or tells
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
    """Whom it leads to; None where they have gone already."""
    try:
        return str(getattr(stream, "transport_stream", stream).socket.getpeername()[0])
    except OSError:
        return None


class BoundedBuffer(WebsocketBuffer):
    """Looks at the size before it keeps anything."""

    def extend(self, event: Any) -> None:
        if self.length + len(event.data) > self.max_length:
            self.clear()
            raise FrameTooLargeError
        super().extend(event)


_maybe_recycle = hypercorn.protocol.h11.H11Protocol._maybe_recycle


async def _recycle_whole(self: hypercorn.protocol.h11.H11Protocol) -> None:
    """Nothing in it waits for the client; the bound is for what we do not know of."""
    with trio.move_on_after(SEND_WITHIN_S, shield=True):
        await _maybe_recycle(self)


async def _stay_http_1(self: object, event: object) -> None:
    """In place of the look for an upgrade to HTTP/2."""


def _agree_to_nothing(*offered: object) -> None:
    """In place of the agreement on WebSocket extensions."""


PATCHES: tuple[tuple[Any, str, Any], ...] = (
    (hypercorn.trio.run, "TCPServer", ContainedServer),
    (hypercorn.protocol.ws_stream, "WebsocketBuffer", BoundedBuffer),
    (hypercorn.protocol.h11, "WSStream", PatientStream),
    (hypercorn.protocol.ws_stream, "server_extensions_handshake", _agree_to_nothing),
    (hypercorn.protocol.h11.H11Protocol, "_check_protocol", _stay_http_1),
    (hypercorn.protocol.h11.H11Protocol, "_maybe_recycle", _recycle_whole),
)


def harden() -> None:
    """Put these in hypercorn's place. Doing it twice changes nothing."""
    for place, name, ours in PATCHES:
        assert hasattr(place, name), f"hypercorn has no {name} any more"
        setattr(place, name, ours)

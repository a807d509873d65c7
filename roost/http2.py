"""HTTP/2 over TLS, with bounds that hypercorn 0.18 does not have.

- A response does not wait for a client that does not extend its flow-control window: all of it is
  held in memory. Here it waits, with the same deadline as over HTTP/1.1; then the connection ends.
- A client that opens streams and resets them at once makes the server work beyond its limit of open
  streams (CVE-2023-44487). Here a connection ends after some resets.
- What follows an answer runs in the request's own task, which Quart cancels. Then the connection
  never counts as idle, and stays open. Here that part is shielded.
- A body that continues after its answer fails the whole connection. Here its stream is reset (RFC
  9113 §8.1).
- A connection ends after a thousand requests, and with it those that are not answered. Here it
  continues.
- WebSockets over HTTP/2 (RFC 8441) would need frames of another kind (`roost.socket_ends`). Here
  they are not offered: browsers open an HTTP/1.1 connection for them.
- Priorities (deprecated by RFC 9113 §5.3) are a tree that clients make grow. Here they are ignored.
"""

from typing import Any

import h2.events
import h2.exceptions
import h2.settings
import structlog
import trio
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hypercorn.events import Closed
from hypercorn.protocol.events import Event, StreamClosed
from hypercorn.protocol.h2 import (
    BUFFER_HIGH_WATER,
    BUFFER_LOW_WATER,
    BufferCompleteError,
    H2Protocol,
    StreamBuffer,
)

log = structlog.get_logger("roost.web")

# A client that takes nothing for so long has gone, whatever its socket says.
SEND_WITHIN_S = 30.0
# At the same time, of one connection. A dashboard has six requests at most.
STREAMS_MAX = 32
# As much as over HTTP/1.1.
HEAD_BYTES_MAX = 16 * 1024
# A person who leaves a page resets what it was loading.
RESETS_MAX = 200


class WaitingBuffer(StreamBuffer):
    """What a stream has not sent yet. hypercorn looks at the length of what is taken, where that of
    the rest is meant: with nothing taken, everybody may continue."""

    async def push(self, data: bytes) -> None:
        if self._complete:
            raise BufferCompleteError
        self.buffer.extend(data)
        await self._is_empty.clear()
        if len(self.buffer) >= BUFFER_HIGH_WATER:
            await self._paused.clear()
            await self._paused.wait()

    async def pop(self, max_length: int) -> bytes:
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < BUFFER_LOW_WATER:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return data


class BoundedH2(H2Protocol):
    """One connection."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._resets = 0
        self.connection.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS_MAX,
                SettingCodes.MAX_HEADER_LIST_SIZE: HEAD_BYTES_MAX,
            },
        )

    async def handle(self, event: Any) -> None:
        await super().handle(event)
        if isinstance(event, Closed):
            for buffer in list(self.stream_buffers.values()):
                await buffer.close()  # who waits to send more need not wait any longer

    async def stream_send(self, event: Event) -> None:
        is_end = isinstance(event, StreamClosed)
        with trio.move_on_after(SEND_WITHIN_S, shield=is_end) as scope:
            await super().stream_send(event)
        if scope.cancelled_caught:
            log.info("client takes nothing; closed")
            await self.send(Closed())

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if self.closed:
                return
            match event:
                case h2.events.PriorityUpdated():
                    continue
                case h2.events.RequestReceived() if _method(event) == b"CONNECT":
                    assert event.stream_id is not None
                    self.connection.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
                    continue
                case h2.events.RequestReceived():
                    self.keep_alive_requests = 0
                case h2.events.DataReceived() if event.stream_id not in self.streams:
                    self._drop(event)
                    continue
                case h2.events.StreamReset():
                    self._resets += 1
                    if self._resets > RESETS_MAX:
                        await self._end_calmly()
                        return
            await super()._handle_events([event])
        await self._flush()

    def _drop(self, event: h2.events.DataReceived) -> None:
        assert event.stream_id is not None
        try:
            self.connection.acknowledge_received_data(
                event.flow_controlled_length or 0, event.stream_id
            )
            self.connection.reset_stream(event.stream_id, ErrorCodes.NO_ERROR)
        except h2.exceptions.ProtocolError:
            log.debug("data of a stream that has ended")

    async def _end_calmly(self) -> None:
        log.info("client resets its requests; closed")
        self.connection.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
        await self._flush()
        await self.send(Closed())


def _method(event: h2.events.RequestReceived) -> bytes:
    pairs: Any = event.headers
    return next((bytes(value) for name, value in pairs if name == b":method"), b"")

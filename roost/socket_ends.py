"""The start and the end of a WebSocket, where hypercorn 0.18 has gaps.

RFC 6455 §4.1 requires a client to wait for the answer to its upgrade. Some do not, and their first
frames arrive in one segment with it. hypercorn then answers 400 while the application is about to
accept. This ends in a traceback, or the application serves a socket that does not exist until the
client disconnects. Here the frames wait for the answer, together with the reading task: nothing
more is read from the client meanwhile.

A refused upgrade (400 for a wrong version) leaves the connection open, and nothing would ever close
it. Here the connection ends with it, as its `Connection: close` says.

The application's frames are sent in one write (`web.http.frames`), and without a turn of other
tasks if the kernel accepts them at once. That turn, and the deadline that it needs, cost ten times
as much as the write.

A connection lasts as long as its tasks, and the one that sends pings sleeps between two of them. So
a client that had gone kept its place for twenty seconds. Here the connection ends with the socket.
"""

from collections.abc import Callable, Sequence

import trio
from hypercorn.protocol.events import Body, Data, Event, Request, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from hypercorn.typing import ASGISendEvent, WebsocketAcceptEvent
from wsproto.events import Ping

from web.http.frames import SEND_FRAMES, text_frame

# An application that has not answered an upgrade by then never does: Roost answers at once.
ANSWERED_WITHIN_S = 10.0

# In the state of a connection: writes what the kernel accepts at once, and returns the rest.
WRITE_NOW = "write_now"


class PatientStream(WSStream):
    """A WebSocket whose first frames may arrive early."""

    _is_open = False
    _write_now: Callable[[bytes], bytes]

    async def handle(self, event: Event) -> None:
        if isinstance(event, Request):
            event.state[SEND_FRAMES] = self.send_frames  # it belongs to this connection only
            self._write_now = event.state[WRITE_NOW]
            self._answered, self._ended = trio.Event(), trio.Event()
            await super().handle(event)
            if self.closed:
                await self.send(StreamClosed(stream_id=self.stream_id))
            return
        if isinstance(event, Body | Data) and not self.closed and not self._is_open:
            with trio.move_on_after(ANSWERED_WITHIN_S) as waiting:
                await self._answered.wait()
            if waiting.cancelled_caught:
                await self.send(StreamClosed(stream_id=self.stream_id))
            if not self._is_open:
                return  # refused: nobody needs it any more
        await super().handle(event)
        if isinstance(event, StreamClosed):
            self._ended.set()

    async def app_send(self, message: ASGISendEvent | None) -> None:
        await super().app_send(message)
        if message is None or self.idle:
            self._answered.set()

    async def send_frames(self, messages: Sequence[bytes], within_s: float) -> None:
        """See `web.http.frames.Send`. Messages to a socket that is no longer open are lost, as with
        `app_send`."""
        if self.state != ASGIWebsocketState.CONNECTED or self.closed:
            return
        rest = self._write_now(b"".join(map(text_frame, messages)))
        if rest:
            # Nothing happens between the two: the rest takes the lock before any other task runs.
            with trio.fail_after(within_s):
                await self.send(Data(stream_id=self.stream_id, data=rest))

    async def _accept(self, message: WebsocketAcceptEvent) -> None:
        await super()._accept(message)
        self._is_open = True
        self._answered.set()

    async def _send_pings(self) -> None:
        pause_s = self.config.websocket_ping_interval
        assert pause_s is not None
        while not self.closed:
            await self._send_wsproto_event(Ping())
            with trio.move_on_after(pause_s):
                await self._ended.wait()

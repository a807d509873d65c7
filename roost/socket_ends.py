"""The beginning and the end of a WebSocket, where hypercorn 0.18 leaves something open.

RFC 6455 §4.1 has a client wait for the answer to its upgrade; some do not, and what they send
arrives in one segment with it. hypercorn answers 400 then, while the application is about to
accept: the two meet in a traceback, or the application serves a socket that is not there until the
client goes. Here the frames wait for the answer, with whoever reads them: nothing more is taken
from the client meanwhile.

An upgrade that is refused (400 for a wrong version) leaves the connection open, with nothing that
would ever close it: here its end is the end of the connection, as its `Connection: close` says.

What the application has to send goes out in one write (`web.http.frames`), and without a turn of
other tasks where the kernel takes it at once. That turn, and the deadline it needs, cost ten times
as much as the write.

A connection lasts as long as its tasks, and the one that sends pings sleeps between two of them: a
client that has gone kept its place for twenty seconds. Here it ends with the socket.
"""

from collections.abc import Callable, Sequence

import trio
from hypercorn.protocol.events import Body, Data, Event, Request, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from hypercorn.typing import ASGISendEvent, WebsocketAcceptEvent
from wsproto.events import Ping

from web.http.frames import SEND_FRAMES, text_frame

# An application that has not answered an upgrade by then does not: ours does at once.
ANSWERED_WITHIN_S = 10.0

# In the state of a connection: writes what the kernel takes at once, and answers with the rest.
WRITE_NOW = "write_now"


class PatientStream(WSStream):
    """A WebSocket whose first frames may come early."""

    _is_open = False
    _write_now: Callable[[bytes], bytes]

    async def handle(self, event: Event) -> None:
        if isinstance(event, Request):
            event.state[SEND_FRAMES] = self.send_frames  # it is of this connection, and of no other
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
                return  # refused: nobody wants it any more
        await super().handle(event)
        if isinstance(event, StreamClosed):
            self._ended.set()

    async def app_send(self, message: ASGISendEvent | None) -> None:
        await super().app_send(message)
        if message is None or self.idle:
            self._answered.set()

    async def send_frames(self, messages: Sequence[bytes], within_s: float) -> None:
        """See `web.http.frames.Send`. Messages to a socket that is not open any more are lost, as
        with `app_send`."""
        if self.state != ASGIWebsocketState.CONNECTED or self.closed:
            return
        rest = self._write_now(b"".join(map(text_frame, messages)))
        if rest:
            # Nothing comes between the two: the rest takes the lock before anybody has a turn.
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

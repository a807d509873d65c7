"""The WebSocket `/ws/devices` (CONTRACT §3): one reader and one sender for each dashboard.

The socket is accepted before it is authenticated, so that a client sees why it is closed.
"""

from collections.abc import Sequence
from functools import partial

import structlog
import trio
from quart import Websocket, websocket

from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt_now
from actors.user.outbox import ASKED_AGAIN, Filter, Outbox
from protocol import codec
from protocol.dead_letters import reason_of
from protocol.errors import BadPayload, Busy
from protocol.events import (
    CHANNELS,
    DeviceList,
    Event,
    Ping,
    Staleness,
    Subscribe,
    batched,
    device_view,
    framed,
    from_client,
)
from protocol.events import Auth as AuthFrame
from protocol.records import Device
from protocol.times import SECOND_US
from web.http.auth import Principal
from web.http.connections import known
from web.http.context import Context
from web.http.frames import frames_of, portions
from web.http.paced_frames import at_a_pace
from web.http.problems import CLOSE_GOING_AWAY, CLOSE_TRY_AGAIN, CLOSE_UNAUTHORIZED
from web.http.socket_auth import SocketClosed, authenticated, frame_bytes, still_in
from web.http.sockets import Sockets

log = structlog.get_logger("roost.live")

# A client that reads nothing for so long has gone, whatever its socket says.
SEND_WITHIN_S = 30.0
CLOSE_WITHIN_S = 2.0
IDS_MAX = 1_000
REPLIES_MAX = 64


async def devices_socket(context: Context, sockets: Sockets) -> None:
    """Serve one socket until either side closes it."""
    socket: Websocket = websocket._get_current_object()  # type: ignore[attr-defined]
    await socket.accept()
    async with sockets.one():
        try:
            principal, token = await authenticated(context, sockets.idle, socket)
            most = context.settings.bounds.dashboards
            known(socket.scope)
            with context.service.sessions.watch(principal.id) as ended:
                await still_in(context, principal, token)
                async with context.service.users.watch(principal.user.id, most) as outbox:
                    await _Session(context, sockets, socket, principal, ended, outbox).run()
        except Busy as busy:
            with trio.move_on_after(CLOSE_WITHIN_S):
                await socket.close(CLOSE_TRY_AGAIN, busy.detail)
        except SocketClosed as closed:
            with trio.move_on_after(CLOSE_WITHIN_S):
                await socket.close(closed.code, closed.reason)


class _Session:
    """An authenticated socket."""

    def __init__(
        self,
        context: Context,
        sockets: Sockets,
        socket: Websocket,
        principal: Principal,
        ended: trio.Event,
        outbox: Outbox,
    ) -> None:
        self._users = context.service.users
        self._clock: WallClock = context.service.clock
        self._sessions = context.service.own_sessions
        self._tells_stale = self._sessions.stale_since_us is not None
        self._sockets = sockets
        self._socket = socket
        self._send_frames = frames_of(socket)
        self._principal = principal
        self._ended = ended
        self._outbox = outbox
        self._batch = socket.args.get("batch") == "1"
        self._seq = 0
        # Answers to pings and errors; a client that sends faster than it reads must wait.
        self._replies, self._to_send = trio.open_memory_channel[bytes](REPLIES_MAX)
        self._why = SocketClosed(CLOSE_GOING_AWAY, "The server is stopping")

    async def run(self) -> None:
        """Raises `SocketClosed` with the reason of the end; is cancelled when the client leaves."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            nursery.start_soon(self._answer, nursery.cancel_scope)
            nursery.start_soon(self._send_events, nursery.cancel_scope)
            nursery.start_soon(self._expire, nursery.cancel_scope)
            nursery.start_soon(self._until_closing, nursery.cancel_scope)
            nursery.start_soon(self._until_ended, nursery.cancel_scope)
        raise self._why

    async def _until_closing(self, scope: trio.CancelScope) -> None:
        await self._sockets.closing.wait()
        scope.cancel()

    async def _until_ended(self, scope: trio.CancelScope) -> None:
        await self._ended.wait()
        self._why = SocketClosed(CLOSE_UNAUTHORIZED, "The session has ended")
        scope.cancel()

    async def _expire(self, scope: trio.CancelScope) -> None:
        expires_us = self._principal.expires_us
        while self._clock.now_us() < expires_us:
            left_s = (expires_us - self._clock.now_us()) / SECOND_US
            await trio.sleep(min(left_s, 3600.0))  # the wall clock may jump
        self._why = SocketClosed(CLOSE_UNAUTHORIZED, "The token has expired")
        scope.cancel()

    async def _read(self) -> None:
        receive = at_a_pace(self._socket.receive)
        while True:
            frame = await receive()
            try:
                said = codec.decode_as(from_client, frame_bytes(frame))
            except BadPayload as error:
                await self._replies.send(_error(error.detail))
                continue
            match said:
                case Ping():
                    await self._replies.send(b'{"type":"pong"}')
                case Subscribe():
                    wrong = _wrong(said)
                    if wrong:
                        await self._replies.send(_error(wrong))
                        continue
                    self._outbox.filter = Filter.of(said)
                    if said.batch is not None:
                        self._batch = said.batch
                case AuthFrame():
                    await self._replies.send(_error("This socket is already signed in"))

    async def _answer(self, scope: trio.CancelScope) -> None:
        try:
            async for reply in self._to_send:
                await self._send([reply])
        except trio.TooSlowError:
            self._why = SocketClosed(CLOSE_TRY_AGAIN, "The client does not read")
            scope.cancel()

    async def _send_events(self, scope: trio.CancelScope) -> None:
        try:
            while True:
                events = await self._outbox.take()
                if self._outbox.has_lost:
                    self._users.resume(self._principal.user.id, self._outbox)
                    continue
                timed, first_s = self._outbox.timed, self._outbox.first_s
                frames = self._framed(events)
                if self._batch and frames:
                    frames = [batched(frames)]
                since_us = self._sessions.stale_since_us
                if self._tells_stale and since_us is not None:
                    frames.append(framed_stale(since_us))  # since before this socket opened
                self._tells_stale = False
                await self._send(frames)
                if timed:  # each counts as late as the first of them
                    self._users.delays.add(trio.current_time() - first_s, timed)
        except trio.EndOfChannel:
            self._why = SocketClosed(CLOSE_TRY_AGAIN, "Connect again")
        except trio.TooSlowError:
            self._why = SocketClosed(CLOSE_TRY_AGAIN, "The client does not read")
        scope.cancel()

    def _framed(self, events: Sequence[Event]) -> list[bytes]:
        """With their numbers in this stream; one that no view can show hides no other."""
        frames = []
        for event in events:
            done = attempt_now(partial(framed, event, self._seq + 1))
            if isinstance(done, Failed) and isinstance(event, DeviceList):
                devices = tuple(d for d in event.devices if _is_showable(d))
                shown = DeviceList(devices, event.is_complete)
                done = attempt_now(partial(framed, shown, self._seq + 1))
            if isinstance(done, Failed):
                log.warning("left out", user=self._principal.user.id, reason=reason_of(done.error))
                if isinstance(event, ASKED_AGAIN):  # an earlier report about it is outdated
                    self._outbox.has_lost = True
                continue
            self._seq += 1
            frames.append(done)
        return frames

    async def _send(self, frames: Sequence[bytes]) -> None:
        # The server makes one write after the other, whichever task they come from.
        for some in portions(frames):
            await self._send_frames(some, SEND_WITHIN_S)


def _is_showable(device: Device) -> bool:
    return not isinstance(attempt_now(partial(device_view, device)), Failed)


def framed_stale(since_us: int) -> bytes:
    """A standstill of live data that began before this socket: outside the counted events."""
    return Staleness(since_us).encoded + b"}"


def _error(detail: str) -> bytes:
    return codec.encode({"type": "error", "detail": detail})


def _wrong(wish: Subscribe) -> str:
    unknown = set(wish.channels or ()) - set(CHANNELS)
    if unknown:
        return f"unknown channels: {', '.join(sorted(unknown))}"[:200]
    if len(wish.device_ids or ()) > IDS_MAX or len(wish.feed_ids or ()) > IDS_MAX:
        return f"at most {IDS_MAX} ids; leave them out for all"
    return ""

"""Authenticates a socket. It was accepted before, so that a client sees why it is closed."""

import trio
from quart import Websocket

from protocol import codec
from protocol.errors import BadPayload, Busy, Problem, TooMany, Unauthorized, Unavailable
from protocol.events import Auth as AuthFrame
from protocol.events import from_client
from protocol.problems.detail import Detail
from web.http.auth import Principal
from web.http.context import Context
from web.http.idle_sockets import IdleSockets
from web.http.problems import CLOSE_TRY_AGAIN, CLOSE_UNAUTHORIZED

AUTH_WITHIN_S = 10.0


class SocketClosed(Exception):
    """Ends a socket with a close code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def authenticated(
    context: Context, idle: IdleSockets, socket: Websocket
) -> tuple[Principal, str]:
    """The principal, and its token ("" for a ticket). Raises `SocketClosed`."""
    ticket = socket.args.get("ticket")
    token = None if ticket else context.auth.token_of_socket(socket)
    try:
        if ticket is not None:
            found: Principal = await context.auth.asker_with(ticket, socket)
            return found, ""
        if token is None:
            token = await _said(context, idle, socket)
        return await context.auth.asker_of(token, socket), token
    except Unauthorized as error:
        raise SocketClosed(CLOSE_UNAUTHORIZED, error.detail) from None
    except (TooMany, Busy) as error:
        raise SocketClosed(CLOSE_TRY_AGAIN, _when(error)) from None
    except Unavailable:
        raise SocketClosed(CLOSE_TRY_AGAIN, "The database does not answer") from None


async def still_in(context: Context, principal: Principal, token: str) -> None:
    """The session may have ended before it was watched. Raises `SocketClosed`."""
    try:
        is_in = await context.auth.is_in(principal, token)
    except Unavailable:
        raise SocketClosed(CLOSE_TRY_AGAIN, "The database does not answer") from None
    if not is_in:
        raise SocketClosed(CLOSE_UNAUTHORIZED, "The session has ended")


async def _said(context: Context, idle: IdleSockets, socket: Websocket) -> str:
    """The token in the client's first frame. Raises `Unauthorized` and `TooMany`."""
    network = context.addresses.network(socket)
    with context.auth.failed.counted(network):
        with idle.place(network), trio.move_on_after(AUTH_WITHIN_S):
            return await _first_frame(socket)
        raise Unauthorized(Detail("no_token_in_time", seconds=AUTH_WITHIN_S))


async def _first_frame(socket: Websocket) -> str:
    frame = await socket.receive()
    try:
        said = codec.decode_as(from_client, frame_bytes(frame))
    except BadPayload as error:
        raise Unauthorized(Detail("not_auth_frame", problem=error.detail[:100])) from None
    if not isinstance(said, AuthFrame):
        raise Unauthorized(Detail("auth_frame_first"))
    return said.token


def frame_bytes(frame: str | bytes | None) -> bytes:
    """A frame as bytes; Quart gives None for an empty binary one."""
    if isinstance(frame, str):
        return frame.encode("utf-8", "surrogatepass")
    return frame or b""


def _when(problem: Problem) -> str:
    """A close frame has no headers: the reason says when to retry (123 bytes at most)."""
    return f"{problem.detail}; try again in {problem.retry_after_s} s"[:120]

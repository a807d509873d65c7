"""Text frames of a WebSocket, many in one write (RFC 6455 §5.2).

    send = frames_of(socket)
    for some in portions(messages):
        await send(some, within_s)  # one write

A frame through Quart, hypercorn and wsproto costs more than its content: a task switch, five
objects, JSON decoded to text and encoded again. A server's frame is only its length and its bytes,
so several can be written at once. If the server does not offer that (`SEND_FRAMES` in the state of
the connection), each frame is sent the ordinary way.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import trio
from quart import Websocket

SEND_FRAMES = "send_frames"
# One write: as much as a slow client reads within the time that a write may take.
WRITE_MAX = 64 * 1024

_TEXT = 0x81  # a complete message, of text


class Send(Protocol):
    """Sends text messages, in order. Other tasks do not run meanwhile if the client's socket
    accepts them at once.

    Args:
        within_s: how long the client may take.

    Raises:
        trio.TooSlowError: it took longer.
    """

    async def __call__(self, messages: Sequence[bytes], within_s: float) -> None: ...


def text_frame(message: bytes) -> bytes:
    """One frame, as a server sends it: without a mask.

    Args:
        message: UTF-8.
    """
    length = len(message)
    if length < 126:
        return bytes((_TEXT, length)) + message
    if length < 1 << 16:
        return bytes((_TEXT, 126, length >> 8, length & 255)) + message
    return bytes((_TEXT, 127)) + length.to_bytes(8, "big") + message


def portions(messages: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Messages in order, in as few writes as `WRITE_MAX` allows; a longer one is one by itself."""
    first = size = 0
    for n, message in enumerate(messages):
        if size + len(message) > WRITE_MAX and n > first:
            yield messages[first:n]
            first, size = n, 0
        size += len(message)
    if first < len(messages):
        yield messages[first:]


def frames_of(socket: Websocket) -> Send:
    """The function that sends messages on that socket."""
    state: dict[str, Any] = socket.scope.get("state") or {}
    send: Send | None = state.get(SEND_FRAMES)
    if send is not None:
        return send

    async def one_by_one(messages: Sequence[bytes], within_s: float) -> None:
        with trio.fail_after(within_s):
            for message in messages:
                await socket.send(message.decode())

    return one_by_one

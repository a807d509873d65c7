"""Reads the frames of a WebSocket's client at a limited pace, so that a flood delays only
itself."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from actors.runtime.buckets import Buckets

T = TypeVar("T")

# Dashboards subscribe when a page opens, and ping every few seconds.
FRAMES_AT_ONCE, FRAMES_PER_S = 200, 20.0


def at_a_pace(receive: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """`receive`, slowed down to the limit."""
    pace = Buckets(FRAMES_AT_ONCE, 1 / FRAMES_PER_S)

    async def paced() -> T:
        frame = await receive()
        while wait_s := pace.take("frames"):  # noqa: ASYNC110 (a bucket is refilled by time alone)
            await trio.sleep(wait_s)
        return frame

    return paced

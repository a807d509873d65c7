"""What a WebSocket's client says is read at a bounded pace: one that floods waits for itself."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from actors.runtime.buckets import Buckets

T = TypeVar("T")

# Dashboards say what they want to see when a page opens, and ping every few seconds.
FRAMES_AT_ONCE, FRAMES_PER_S = 200, 20.0


def at_a_pace(receive: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """`receive`, that answers no faster."""
    pace = Buckets(FRAMES_AT_ONCE, 1 / FRAMES_PER_S)

    async def paced() -> T:
        frame = await receive()
        while wait_s := pace.take("frames"):  # noqa: ASYNC110 (a bucket fills with time alone)
            await trio.sleep(wait_s)
        return frame

    return paced

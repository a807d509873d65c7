"""A failure that stays with the one thing that failed.

    done = await attempt(partial(store.load_devices, keys))
    if isinstance(done, Failed):
        ...                                   # done.error says why

Part of supervision: beside `Supervisor`, this is where `Exception` is caught. Cancellation and all
that is no `Exception` passes.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from actors.runtime.endings import ends_process
from protocol.errors import Unavailable

# So many may fail alone: more of them at once are no matter of what they are.
ALONE_MAX = 16

T = TypeVar("T")
K = TypeVar("K")


class Failed(msgspec.Struct, frozen=True):
    """What an attempt failed with."""

    error: Exception


async def attempt(work: Callable[[], Awaitable[T]]) -> T | Failed:
    """Await it; a failure is the answer."""
    try:
        return await work()
    except Exception as error:
        if ends_process(error) is not None:
            raise
        return Failed(error)


def attempt_now(call: Callable[[], T]) -> T | Failed:
    """Call it; a failure is the answer."""
    try:
        return call()
    except Exception as error:
        if ends_process(error) is not None:
            raise
        return Failed(error)


async def attempt_each(
    keys: Sequence[K], work: Callable[[Sequence[K]], Awaitable[Sequence[T]]]
) -> list[T | Failed]:
    """The answers of `work(keys)`, one for each key; where it fails, those of smaller parts.

    So a key that makes it fail, fails alone: one of n costs about 2 log2(n) calls, all of them
    about 2 n.

    Raises:
        Unavailable: whoever should answer is away. That is about no key.
        Exception: all of more than `ALONE_MAX` keys fail, so it is about none of them either.
    """
    done = await _attempt_part(keys, work)
    failed = [each for each in done if isinstance(each, Failed)]
    if len(failed) == len(keys) > ALONE_MAX:
        raise failed[-1].error
    return done


async def _attempt_part(
    keys: Sequence[K], work: Callable[[Sequence[K]], Awaitable[Sequence[T]]]
) -> list[T | Failed]:
    done = await attempt(partial(work, keys))
    if not isinstance(done, Failed):
        return list(done)
    if isinstance(done.error, Unavailable):
        raise done.error
    if len(keys) == 1:
        return [done]
    half = len(keys) // 2
    first = await _attempt_part(keys[:half], work)
    return [*first, *await _attempt_part(keys[half:], work)]

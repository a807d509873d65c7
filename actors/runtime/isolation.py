"""Contains a failure within the one item that failed.

    done = await attempt(partial(store.load_devices, keys))
    if isinstance(done, Failed):
        ...                                   # done.error says why

A part of supervision: except for `Supervisor`, `Exception` is caught here. Cancellation, and
everything that is not an `Exception`, passes.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from actors.runtime.endings import ends_process
from protocol.errors import Unavailable

# So many may fail alone. If more fail at once, they themselves are not the cause.
ALONE_MAX = 16

T = TypeVar("T")
K = TypeVar("K")


class Failed(msgspec.Struct, frozen=True):
    """The error of a failed attempt."""

    error: Exception


async def attempt(work: Callable[[], Awaitable[T]]) -> T | Failed:
    """Await it; return its failure as `Failed`."""
    try:
        return await work()
    except Exception as error:
        if ends_process(error) is not None:
            raise
        return Failed(error)


def attempt_now(call: Callable[[], T]) -> T | Failed:
    """Call it; return its failure as `Failed`."""
    try:
        return call()
    except Exception as error:
        if ends_process(error) is not None:
            raise
        return Failed(error)


async def attempt_each(
    keys: Sequence[K], work: Callable[[Sequence[K]], Awaitable[Sequence[T]]]
) -> list[T | Failed]:
    """The results of `work(keys)`, one for each key; if it fails, those of smaller parts.

    So only the key that makes it fail fails: one of n costs about 2 log2(n) calls, all of them
    about 2 n.

    Raises:
        Unavailable: a server is away, which concerns no key.
        Exception: all of more than `ALONE_MAX` keys fail, so none of them is the cause.
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

"""A value that takes long to compute: computed once, in a thread, so that nobody else waits.

page = MadeOnce(build_page)
await page.get()                # the first call makes it; others get the same
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class MadeOnce(Generic[T]):
    """Args:
    make: called in a worker thread. If it fails, the callers get its error, and the next call tries
        again.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._making = trio.Lock()
        self._made: list[T] = []

    async def get(self) -> T:
        if not self._made:
            async with self._making:
                if not self._made:
                    # A cancelled caller leaves after it is made: it is never made twice.
                    self._made.append(await trio.to_thread.run_sync(self._make))
        return self._made[0]

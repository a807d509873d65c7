"""What takes long to make, is made once, and is made in a thread: nobody else waits for it.

page = MadeOnce(build_page)
await page.get()                # the first call makes it; who comes meanwhile gets the same
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class MadeOnce(Generic[T]):
    """Args:
    make: called in a worker thread. When it fails, whoever asked has its error, and the next who
        asks lets it try again.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._making = trio.Lock()
        self._made: list[T] = []

    async def get(self) -> T:
        if not self._made:
            async with self._making:
                if not self._made:
                    # Who leaves meanwhile leaves after it is made: it is never made twice.
                    self._made.append(await trio.to_thread.run_sync(self._make))
        return self._made[0]

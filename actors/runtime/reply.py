"""A one-shot answer that anyone may settle, without a channel that may be closed.

reply = Reply[int]()
mailbox.put_nowait(HowMany(done=reply.settle))
count = await reply.wait(timeout_s=5)
"""

from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Reply(Generic[T]):
    """Settled once; a second answer has no effect, because an answer may race with a failure."""

    def __init__(self) -> None:
        self._settled = trio.Event()
        self._values: list[T] = []
        self._error: Exception | None = None

    @property
    def is_settled(self) -> bool:
        return self._settled.is_set()

    def settle(self, value: T) -> None:
        if not self.is_settled:
            self._values.append(value)
            self._settled.set()

    def fail(self, error: Exception) -> None:
        if not self.is_settled:
            self._error = error
            self._settled.set()

    async def wait(self, timeout_s: float) -> T:
        """The answer; several may wait for it.

        Raises:
            trio.TooSlowError: nobody answered in time.
            Exception: the failure of the other side.
        """
        with trio.fail_after(timeout_s):
            await self._settled.wait()
        if self._error is not None:
            raise self._error
        return self._values[0]

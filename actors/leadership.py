"""Which of several processes serves the broker's sessions: one leads, the others stand by.

The lead is a lock in the database that ends with its connection, and a number that grows with every
new leader. Commits carry the number of their leader: one that was overtaken commits nothing any
more (`Fenced`), its messages are the next one's. Work that is due is claimed by all
(`actors.jobs`).
"""

from collections.abc import Awaitable, Callable

import structlog
import trio

from actors.ports import Store
from protocol.errors import Unavailable

log = structlog.get_logger("roost.leadership")

# How long after a leader's end the next one begins.
TRY_AGAIN_S = 1.0


class Leadership:
    """Usage: `nursery.start_soon(leadership.run)`; `await leadership.wait_may_serve()`.

    Args:
        led: told of the number under which this process leads from now on.
        overtaken: awaited before it leads again after somebody else did: what it knows is old.
    """

    def __init__(
        self,
        store: Store,
        led: Callable[[int], None],
        overtaken: Callable[[], Awaitable[None]],
    ) -> None:
        self.epoch = 0
        self.is_standby = False
        self.decided = trio.Event()  # set for good when it is known who leads
        self._store = store
        self._led = led
        self._overtaken = overtaken
        self._serving = trio.Event()

    @property
    def serves(self) -> bool:
        """Whether `wait_may_serve` would return at once."""
        return self._serving.is_set()

    async def wait_may_serve(self) -> None:
        """Wait until this process leads. While nobody can know, because the database is away, the
        last leader goes on: what it cannot commit it does not acknowledge."""
        while not self._serving.is_set():
            await self._serving.wait()

    async def run(self) -> None:
        while True:
            lost = trio.Event()
            try:
                epoch = await self._store.lead(lost.set)
            except Unavailable as error:
                log.debug("the lead cannot be asked for", error=str(error))
                await trio.sleep(TRY_AGAIN_S)
                continue
            if epoch is None:
                self._stand_by()
                await trio.sleep(TRY_AGAIN_S)
                continue
            if self.epoch and epoch != self.epoch + 1:
                await self._overtaken()
            self.epoch, self.is_standby = epoch, False
            self._led(epoch)
            self._serving.set()
            self.decided.set()
            log.info("leads", epoch=epoch)
            await lost.wait()
            log.warning("the lead's connection was lost", epoch=epoch)

    def _stand_by(self) -> None:
        if not self.is_standby:
            self.is_standby = True
            if self._serving.is_set():  # whoever waits on one that is not must hear of the lead
                self._serving = trio.Event()
            self.decided.set()
            log.info("stands by: another process leads")

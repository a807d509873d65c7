"""Asks the broker regularly how many messages it holds for us, so that scraping metrics never
waits."""

import trio

from actors.ports.broker_backlog import BrokerBacklog
from protocol.errors import Unavailable

EVERY_S = 15.0


class Backlog:
    """Usage: `nursery.start_soon(backlog.run)`.

    Attributes:
        waiting: messages that the broker held at the last look, by session; empty while it does not
            answer.
    """

    def __init__(self, port: BrokerBacklog | None) -> None:
        self.waiting: dict[str, int] = {}
        self._port = port

    async def run(self) -> None:
        """Look for ever; return at once if the broker does not report it."""
        if self._port is None:
            await trio.lowlevel.checkpoint()
            return
        while True:
            try:
                self.waiting = await self._port.waiting()
            except Unavailable:
                self.waiting = {}
            await trio.sleep(EVERY_S)

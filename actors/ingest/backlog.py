"""Asks the broker regularly what it holds for us, so that scraping metrics never waits for it."""

import trio

from actors.ports.broker_backlog import BrokerBacklog
from protocol.errors import Unavailable

EVERY_S = 15.0


class Backlog:
    """Usage: `nursery.start_soon(backlog.run)`.

    Attributes:
        waiting: by session, messages that the broker had at the last look; empty while it does not
            answer.
    """

    def __init__(self, port: BrokerBacklog | None) -> None:
        self.waiting: dict[str, int] = {}
        self._port = port

    async def run(self) -> None:
        """Look for ever; returns at once where the broker does not tell."""
        if self._port is None:
            await trio.lowlevel.checkpoint()
            return
        while True:
            try:
                self.waiting = await self._port.waiting()
            except Unavailable:
                self.waiting = {}
            await trio.sleep(EVERY_S)

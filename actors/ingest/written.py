"""Whether the store has what this process, and earlier ones, submitted to it."""

import trio

from actors.ingest.writer import Writer


class Written:
    """Attributes:
    prepared: set when the commits that earlier processes left running have ended and are known.
    """

    def __init__(self, writer: Writer) -> None:
        self.prepared = trio.Event()
        self._writer = writer

    async def wait(self) -> None:
        """Wait until the store has everything that was submitted before now."""
        await self.prepared.wait()
        await self._writer.barrier()

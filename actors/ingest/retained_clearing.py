"""Clears devices' retained messages from the broker, in parts."""

from collections.abc import Sequence

from actors.ingest.clearing_notices import ClearingNotices
from actors.ingest.echoes import Echoes
from actors.ports.retained import Held, RetainedMessages
from protocol.errors import Refusal, Unavailable

CLEAR_MAX = 500


class Clearing:
    """Args:
    echoes: told about clearings that the broker delivers back to us as an empty message.
    notices: tells devices which messages could not stay.

    Attributes:
        cleared: how many messages were cleared.
    """

    def __init__(self, port: RetainedMessages, echoes: Echoes, notices: ClearingNotices) -> None:
        self.cleared = 0
        self._port = port
        self._echoes = echoes
        self._notices = notices

    async def clear(self, held: Sequence[Held]) -> None:
        """Raises `Unavailable` if not everything could be cleared."""
        for start in range(0, len(held), CLEAR_MAX):
            part = held[start : start + CLEAR_MAX]
            if not self._port.tells:  # it delivers our clearing back to us
                self._echoes.expect([each.topic for each in part])
            if not await self._port.clear(part):
                raise Unavailable("not everything was cleared")
            self.cleared += len(part)

    async def clear_beyond(self, found: Sequence[tuple[Held, Refusal]]) -> None:
        """Clear the messages beyond the bounds; their devices are told why."""
        await self.clear([each for each, _ in found])
        for each, why in found:
            self._notices.say(each.topic, why)

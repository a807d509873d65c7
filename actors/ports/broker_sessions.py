"""What the broker keeps for clients of others, whether they are connected or not."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class KeptSession(msgspec.Struct, frozen=True):
    """An MQTT session. `is_gone`: it was a clean one, and its client is not connected any more; a
    broker that was killed leaves such sessions behind, with their subscriptions."""

    client_id: str
    is_gone: bool = False


class BrokerSessions(Protocol):
    """Every call raises `Unavailable` where the broker does not answer."""

    async def kept(self) -> Sequence[KeptSession]:
        """All, but for those of ours."""
        ...

    async def forget(self, client_id: str) -> None:
        """Close the connection of this client id, and delete its session with its subscriptions
        and what waits for them. Nothing happens to a session of ours."""
        ...

    async def forget_user(self, username: str) -> None:
        """The same for all client ids of that user name."""
        ...

    async def clear_away(self) -> int:
        """Delete subscriptions of sessions that are there no more; answers how many there were."""
        ...

"""Sessions that the broker stores for other clients, whether they are connected or not."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class KeptSession(msgspec.Struct, frozen=True):
    """An MQTT session. `is_gone`: it was a clean one, and its client is no longer connected; a
    broker that was killed leaves such sessions behind, with their subscriptions."""

    client_id: str
    is_gone: bool = False


class BrokerSessions(Protocol):
    """Every call raises `Unavailable` if the broker does not answer."""

    async def kept(self) -> Sequence[KeptSession]:
        """All stored sessions, except ours."""
        ...

    async def forget(self, client_id: str) -> None:
        """Close the connection of this client id, and delete its session with its subscriptions and
        waiting messages. Our own sessions are left alone."""
        ...

    async def forget_user(self, username: str) -> None:
        """The same for all client ids of that user name."""
        ...

    async def clear_away(self) -> int:
        """Delete subscriptions of sessions that no longer exist; return how many there were."""
        ...

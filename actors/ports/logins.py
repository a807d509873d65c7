"""Control over the connections of devices and listeners."""

from collections.abc import Callable
from typing import Protocol

from actors.ports.broker_sessions import BrokerSessions
from actors.runtime.clock import WallClock as WallClock


class Logins(BrokerSessions, Protocol):
    """Control over the connections of devices and listeners, which an external broker may not
    offer."""

    async def disconnect(self, client_id: str) -> None:
        """Close the connection of that client id, if there is one."""
        ...

    async def shut_out(self, client_id: str, for_s: float) -> None:
        """Close the connection of that client id, and refuse its logins for so many seconds.

        Raises:
            Unavailable: the broker did not close it; its next logins are refused nevertheless.
        """
        ...

    def watch(self, arrived: Callable[[str], None]) -> None:
        """Call `arrived` with the user of each listener that logs in; only the last caller is
        told."""
        ...

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

    async def holds_for(self, client_id: str) -> float:
        """For how many seconds no QoS 1 message need be sent to that client id again.

        Infinity while a persistent session that subscribes with QoS 1 is away, because the broker
        holds the message for it; some seconds after it came back, when it was delivered; else 0.
        0 as well where nothing is known.

        Raises:
            Unavailable: the broker does not answer.
        """
        ...

    def watch(self, arrived: Callable[[str], None]) -> None:
        """Call `arrived` with the user of each listener that logs in; only the last caller is
        told."""
        ...

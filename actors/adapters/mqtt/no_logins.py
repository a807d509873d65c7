"""The Logins port for an operator's own broker, whose clients Roost cannot control."""

from collections.abc import Callable, Sequence

from actors.ports.broker_sessions import KeptSession


class NoLogins:
    """A broker whose connections Roost cannot close.

    Attributes:
        arrived: called with the user of a listener that logs in; only the simulation does so.
    """

    def __init__(self) -> None:
        self.arrived: Callable[[str], None] = lambda user_id: None

    async def disconnect(self, client_id: str) -> None:
        return

    async def kept(self) -> Sequence[KeptSession]:
        return ()

    async def forget(self, client_id: str) -> None:
        return

    async def shut_out(self, client_id: str, for_s: float) -> None:
        return

    async def forget_user(self, username: str) -> None:
        return

    async def clear_away(self) -> int:
        return 0

    async def holds_for(self, client_id: str) -> float:
        return 0.0

    def watch(self, arrived: Callable[[str], None]) -> None:
        self.arrived = arrived

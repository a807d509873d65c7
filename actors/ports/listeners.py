"""What the store knows of listeners."""

from collections.abc import Sequence
from typing import Protocol

from protocol.device.listeners import Listener


class ListenerStore(Protocol):
    async def listener(self, user_id: str) -> Listener | None: ...

    async def set_listener(self, listener: Listener) -> None:
        """The user's one; an earlier one works no more. Who follows people is told the user."""
        ...

    async def delete_listener(self, user_id: str) -> Listener | None:
        """The one that there was. Who follows people is told the user."""
        ...

    async def say_again(self, user_id: str) -> None:
        """Tell who follows people that something older may have been said over what is retained of
        this user (`protocol.device.listeners.AGAIN`)."""
        ...

    async def listener_logins(self, usernames: Sequence[str]) -> dict[str, Listener]:
        """Those that there are, by their names."""
        ...

    async def listeners(self) -> list[Listener]:
        """Of all users, but for those whose rows cannot be read: they are put aside."""
        ...

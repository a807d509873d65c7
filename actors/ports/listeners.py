"""The store's part for listeners."""

from collections.abc import Sequence
from typing import Protocol

from protocol.device.listeners import Listener


class ListenerStore(Protocol):
    async def listener(self, user_id: str) -> Listener | None: ...

    async def set_listener(self, listener: Listener) -> None:
        """Set the user's listener; an earlier one becomes invalid. Followers of people are told the
        user."""
        ...

    async def delete_listener(self, user_id: str) -> Listener | None:
        """Delete the listener and return it. Followers of people are told the user."""
        ...

    async def say_again(self, user_id: str) -> None:
        """Tell followers of people that an older message may have replaced what is retained for
        this user (`protocol.device.listeners.AGAIN`)."""
        ...

    async def listener_logins(self, usernames: Sequence[str]) -> dict[str, Listener]:
        """Those that exist and may log in, by their names: none of a disabled user."""
        ...

    async def listeners(self) -> list[Listener]:
        """Those of all users, except those whose rows cannot be read: these are put aside."""
        ...

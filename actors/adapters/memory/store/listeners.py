"""Listeners of users in the store's twin."""

from collections.abc import Callable, Sequence

from actors.adapters.memory.store.access import AccessTables
from actors.adapters.memory.store.rules import check_uuid
from actors.runtime.clock import WallClock
from protocol.dead_letters import LISTENERS
from protocol.device.listeners import AGAIN, SETTINGS, Listener
from protocol.errors import Unreadable

NOT_READ = "nobody can read the row"


class ListenerTables(AccessTables):
    """See `actors.ports.listeners.ListenerStore`.

    Attributes:
        unreadable_listeners: users whose row cannot be read.
    """

    _put_aside: Callable[..., int | None]

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self._listeners: dict[str, Listener] = {}
        self.unreadable_listeners: set[str] = set()

    async def listener(self, user_id: str) -> Listener | None:
        await self._cross()
        check_uuid(user_id)
        if user_id in self.unreadable_listeners:
            raise Unreadable(NOT_READ)
        return self._listeners.get(user_id)

    async def set_listener(self, listener: Listener) -> None:
        await self._cross()
        self._listeners[listener.user_id] = listener
        self._tell(listener.user_id)

    async def delete_listener(self, user_id: str) -> Listener | None:
        await self._cross()
        gone = self._listeners.pop(user_id, None)
        if gone is not None:
            self._tell(user_id)
        return gone

    async def say_again(self, user_id: str) -> None:
        await self._cross()
        self._tell(AGAIN + user_id)

    def _notify_settings(self, user_id: str) -> None:
        """With a change of what this user has."""
        self._tell(SETTINGS + user_id)
        if user_id in self._listeners:
            self._tell(user_id)

    async def listener_logins(self, usernames: Sequence[str]) -> dict[str, Listener]:
        await self._cross()
        wanted = set(usernames)
        return {
            each.username: each
            for each in self._listeners.values()
            if each.username in wanted
            and each.user_id not in self.unreadable_listeners
            and not self._is_disabled(each.user_id)
        }

    async def listeners(self) -> list[Listener]:
        await self._cross()
        found: list[Listener] = []
        for each in self._listeners.values():
            if each.user_id in self.unreadable_listeners:
                now_us = self._clock.now_us()
                self._put_aside(LISTENERS, each.user_id, NOT_READ, now_us, each.user_id)
            else:
                found.append(each)
        return found

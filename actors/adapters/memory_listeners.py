"""Listeners of users in the store's twin."""

from actors.adapters.memory_access import AccessTables
from actors.adapters.memory_rules import check_uuid
from actors.ports import WallClock
from protocol.listeners import Listener


class ListenerTables(AccessTables):
    """See `actors.ports.listeners.ListenerStore`."""

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self._listeners: dict[str, Listener] = {}

    async def listener(self, user_id: str) -> Listener | None:
        await self._cross()
        check_uuid(user_id)
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

    async def listener_login(self, username: str) -> Listener | None:
        await self._cross()
        found = [each for each in self._listeners.values() if each.username == username]
        return found[0] if found else None

    async def listeners(self) -> list[Listener]:
        await self._cross()
        return list(self._listeners.values())

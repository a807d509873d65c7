"""API keys and password reset links in the store's twin."""

import msgspec

from actors.adapters.memory.store.people import PeopleTables
from actors.runtime.clock import WallClock
from protocol.errors import Conflict
from protocol.people.access import KEY_NETWORKS_MAX, KEYS_MAX, ApiKey
from protocol.people.user import User
from protocol.problems.detail import Detail


class AccessTables(PeopleTables):
    """See `actors.ports.access.AccessStore`."""

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self._keys: dict[str, ApiKey] = {}
        self._key_networks: dict[str, tuple[str, ...]] = {}

    async def add_api_key(self, key: ApiKey) -> ApiKey:
        await self._cross()
        if sum(k.user_id == key.user_id for k in self._keys.values()) >= KEYS_MAX:
            raise Conflict(Detail("api_keys_full", most=KEYS_MAX))
        key = msgspec.structs.replace(key, num=self._next("key"))
        self._keys[key.id] = key
        return key

    async def api_key(self, sha256: bytes) -> tuple[ApiKey, User] | None:
        await self._cross()
        found = [k for k in self._keys.values() if k.sha256 == sha256]
        if not found or self._is_disabled(found[0].user_id):
            return None
        return found[0], self._users[found[0].user_id]

    async def api_key_used(self, key_id: str, now_us: int, network: str) -> bool:
        await self._cross()
        if key_id not in self._keys:
            return False
        self._keys[key_id] = msgspec.structs.replace(self._keys[key_id], last_used_us=now_us)
        known = self._key_networks.get(key_id, ())
        if network in known:
            return False
        self._key_networks[key_id] = (*known, network)[-KEY_NETWORKS_MAX:]
        return True

    async def delete_api_key(self, user_id: str, key_id: str) -> bool:
        await self._cross()
        found = self._keys.get(key_id)
        if found is None or found.user_id != user_id:
            return False
        del self._keys[key_id]
        self._tell(key_id)
        return True

    def _is_alive(self, session_id: str) -> bool:
        key = self._keys.get(session_id)
        if key is not None:
            return not self._is_disabled(key.user_id)
        return super()._is_alive(session_id)

    async def add_reset(self, sha256: bytes, user_id: str, expires_us: int) -> None:
        await self._cross()
        self._end_resets(user_id)
        self._resets[sha256] = user_id, expires_us

    async def reset_user(self, sha256: bytes, now_us: int) -> User | None:
        await self._cross()
        user_id, expires_us = self._resets.get(sha256, ("", 0))
        is_over = expires_us <= now_us or self._is_disabled(user_id)
        return None if is_over else self._users[user_id]

    async def add_email_verification(
        self, sha256: bytes, user_id: str, email: str, expires_us: int
    ) -> None:
        await self._cross()
        self._end_verifications(user_id)
        self._verifications[sha256] = user_id, email, expires_us

    async def email_verification(self, sha256: bytes, now_us: int) -> tuple[User, str] | None:
        await self._cross()
        user_id, email, expires_us = self._verifications.get(sha256, ("", "", 0))
        is_over = expires_us <= now_us or self._is_disabled(user_id)
        return None if is_over else (self._users[user_id], email)

"""Accounts that are disabled or erased, in the store's twin."""

from collections.abc import Sequence
from typing import Any

import msgspec

from actors.adapters.memory.store.commits import CommitTables
from actors.adapters.memory.store.shop import ShopTables
from protocol.dead_letters import ERASURES
from protocol.people.people import AuditEntry
from protocol.people.user import DisabledUser, ErasureLeft


class ErasureTables(CommitTables, ShopTables):
    """See `actors.ports.erasure.ErasureStore`."""

    async def disable_user(
        self, user_id: str, now_us: int, *, erase: bool = False, entries: Sequence[AuditEntry] = ()
    ) -> bool:
        await self._cross()
        user = self._users.get(user_id)
        if user is None:
            return False
        self._users[user_id] = msgspec.structs.replace(
            user,
            disabled_us=user.disabled_us or now_us,
            erasing_us=(user.erasing_us or now_us) if erase else user.erasing_us,
            revision=user.revision + 1,
        )
        self._end([s.id for s in self.all_sessions.values() if s.user_id == user_id])
        self._end_resets(user_id)
        for entry in entries:
            self._note(entry)
        for key_id in self._own_secrets(user_id).key_ids:
            self._tell(key_id)
        self._tell(user_id)
        return True

    async def enable_user(self, user_id: str, *, entries: Sequence[AuditEntry] = ()) -> bool:
        await self._cross()
        user = self._users.get(user_id)
        if user is None or user.erasing_us is not None:
            return False
        enabled = msgspec.structs.replace(user, disabled_us=None, revision=user.revision + 1)
        self._users[user_id] = enabled
        for entry in entries:
            self._note(entry)
        self._tell(user_id)
        return True

    async def disabled_users(self) -> list[DisabledUser]:
        await self._cross()
        found = [
            DisabledUser(
                id=user.id, disabled_us=user.disabled_us, is_erased=user.erasing_us is not None
            )
            for user in self._users.values()
            if user.disabled_us is not None
        ]
        return sorted(found, key=lambda user: (user.disabled_us, user.id))

    async def erasure_left(self, user_id: str) -> ErasureLeft | None:
        await self._cross()
        return self._left(user_id)

    def _left(self, user_id: str) -> ErasureLeft | None:
        user = self._users.get(user_id)
        if user is None or user.erasing_us is None:
            return None
        return ErasureLeft(
            devices=len(_of(self._devices, user_id)),
            feeds=len(_of(self._feeds, user_id)),
            media=len(_of(self._media, user_id)),
        )

    async def erase_user(self, user_id: str) -> bool:
        await self._cross()
        if self._left(user_id) is None:
            return True
        if _of(self._media, user_id):
            return False
        for feed in _of(self._feeds, user_id):
            self._drop_feed(feed)
        for device in _of(self._devices, user_id):
            self._drop_device(device)
        for webhook in _of(self.all_webhooks, user_id):
            self._drop_webhook(webhook)
        self._end([session.id for session in _of(self.all_sessions, user_id)])
        self._end_resets(user_id)
        self._end_verifications(user_id)
        self._factors.pop(user_id, None)
        for key in _of(self._keys, user_id):
            del self._keys[key.id]
            self._key_networks.pop(key.id, None)
        for table in (self.all_products, self.all_orders):
            for each in _of(table, user_id):
                del table[each.id]
        self._listeners.pop(user_id, None)
        self._rejections[:] = [row for row in self._rejections if row[0] != user_id]
        self._audit[:] = [entry for entry in self._audit if entry.user_id != user_id]
        for keyed in (self._not_kept, self._user_sums, self._stale):
            _forget(keyed, user_id)
        for place, letter in list(self.all_dead_letters.items()):
            if letter.user_id == user_id:
                del self.all_dead_letters[place]
        del self._users[user_id]
        self._tell(user_id)
        return True

    def _is_gone(self, work: str, subject: str) -> bool:
        if work == ERASURES:
            return self._left(subject) is None
        return super()._is_gone(work, subject)


def _of(table: dict[Any, Any], user_id: str) -> list[Any]:
    return [row for row in table.values() if row.user_id == user_id]


def _forget(table: dict[Any, Any], user_id: str) -> None:
    """Rows of a table whose keys begin with the user."""
    for place in [each for each in table if each[0] == user_id]:
        del table[place]

"""Changes of accounts, with what ends at the same moment, in the store's twin."""

from collections.abc import Callable

import msgspec

from actors.adapters.memory.store.listeners import ListenerTables
from actors.adapters.memory.store.rules import revised
from actors.ports.people import AccountChange
from protocol.people.access import OwnSecrets


class AccountTables(ListenerTables):
    """See `actors.ports.people.PeopleStore.update_user`."""

    _switch_off_webhooks: Callable[[str], None]

    async def update_user(self, change: AccountChange) -> OwnSecrets:
        await self._cross()
        user = change.user
        self._check_unique(user)
        before = self._users[user.id]
        revision = revised(before.revision, change.known)
        secrets = self._own_secrets(user.id)
        noted = list(change.entries(secrets))
        self._users[user.id] = msgspec.structs.replace(
            user,
            revision=revision,
            disabled_us=before.disabled_us,
            erasing_us=before.erasing_us,
        )
        if change.sign_out:
            self._end([s.id for s in self.all_sessions.values() if s.user_id == user.id])
            self._end_resets(user.id)
        self._end_verifications(user.id, user.unconfirmed)
        if change.take_over:
            self._factors.pop(user.id, None)
            self._switch_off_webhooks(user.id)
        if change.revoke:
            for key_id in secrets.key_ids:
                del self._keys[key_id]
                self._tell(key_id)
            self._listeners.pop(user.id, None)
        for entry in noted:
            self._note(entry)
        self._tell(user.id)
        return secrets

    def _own_secrets(self, user_id: str) -> OwnSecrets:
        keys = tuple(key.id for key in self._keys.values() if key.user_id == user_id)
        listener = self._listeners.get(user_id)
        return OwnSecrets(keys, None if listener is None else listener.username)

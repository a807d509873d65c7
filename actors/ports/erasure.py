"""The store's part for accounts that are disabled or erased."""

from collections.abc import Sequence
from typing import Protocol

from protocol.people.people import AuditEntry
from protocol.people.user import DisabledUser, ErasureLeft


class ErasureStore(Protocol):
    async def disable_user(
        self, user_id: str, now_us: int, *, erase: bool = False, entries: Sequence[AuditEntry] = ()
    ) -> bool:
        """Disable an account, all or nothing; False if there is none.

        Sessions and links for a new password end. API keys and MQTT logins are refused, the SQL
        login cannot log in, and nothing is claimed that is due for webhooks or schedules. Followers
        of people are told the user, the sessions and the API keys.

        Args:
            erase: it is to be erased; this cannot be undone.
        """
        ...

    async def enable_user(self, user_id: str, *, entries: Sequence[AuditEntry] = ()) -> bool:
        """Undo `disable_user`; what ended stays ended. False if there is no such user, or if it is
        being erased. Followers of people are told the user."""
        ...

    async def disabled_users(self) -> list[DisabledUser]:
        """Those that were disabled first come first."""
        ...

    async def erasure_left(self, user_id: str) -> ErasureLeft | None:
        """What is left of an account that is being erased; None if it is gone."""
        ...

    async def erase_user(self, user_id: str) -> bool:
        """Delete everything that is left of an account that is being erased, and last its row. Does
        nothing for any other account.

        False if it has media, perhaps of an upload that was under way: their contents would stay.
        """
        ...

"""The store's part for people: accounts, sessions, and the audit log."""

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import msgspec

from protocol.people.access import OwnSecrets
from protocol.people.people import AuditEntry, Session
from protocol.people.user import User

Entries = Callable[[OwnSecrets], Iterable[AuditEntry]]


def no_entries(secrets: OwnSecrets) -> Iterable[AuditEntry]:
    return ()


class AccountChange(msgspec.Struct, frozen=True, kw_only=True):
    """A user as it is to be, and what belongs to the change.

    Attributes:
        known: the revision that the caller has read; None for whichever there is.
        sign_out: end every session and every link for a new password.
        revoke: delete the API keys and the listener.
        take_over: somebody else may have set up what is there. The second factor ends, and no
        webhook is sent any more.
        entries: what the audit log says, given what there is beside sessions.
    """

    user: User
    known: int | None = None
    sign_out: bool = False
    revoke: bool = False
    take_over: bool = False
    entries: Entries = no_entries


class PeopleStore(Protocol):
    async def add_user(self, user: User) -> None:
        """Raises `Conflict` if the email address or the subject is taken (whatever its case)."""
        ...

    async def user_by_email(self, email: str) -> User | None: ...

    async def account(self, email: str) -> tuple[User, frozenset[str]] | None:
        """The user with this email address, and the addresses from which they are signed in."""
        ...

    async def user_by_subject(self, idp: str, subject: str) -> User | None:
        """The user of another identity provider."""
        ...

    async def user(self, user_id: str) -> User | None: ...

    async def update_user(self, change: AccountChange) -> OwnSecrets:
        """Change a user, and what belongs to the change, all or nothing. Links that confirm another
        address than `User.unconfirmed` end.

        Returns: the API keys and the listener, whether revoked or not.

        Raises:
            Conflict: like `add_user`.
            Outdated: the revision is not the known one.
        """
        ...

    # Sign-ins

    async def add_session(
        self, session: Session, password_hash: str | None, factor_us: int | None = None
    ) -> bool:
        """False if the password, or the second factor (when it was confirmed), is no longer the one
        that was verified, or the user is disabled: nothing is added.

        Beyond `SESSIONS_MAX` sessions of a user the oldest ends.
        """
        ...

    async def session(self, session_id: str) -> tuple[Session, User] | None: ...

    async def sessions_alive(self, session_ids: Collection[str]) -> set[str]:
        """Which of them have not ended; the ids may include API keys, which must not be a disabled
        user's."""
        ...

    async def delete_sessions(self, user_id: str, session_ids: Collection[str]) -> list[str]:
        """End them; return those that had not ended before."""
        ...

    async def add_ticket(self, sha256: bytes, session_id: str, expires_us: int) -> None: ...

    async def take_ticket(self, sha256: bytes, now_us: int) -> str | None:
        """The session of a valid ticket, which becomes invalid."""
        ...

    async def follow_people(
        self, heard: Callable[[str], None], begun: Callable[[], None], check_s: float
    ) -> None:
        """Report ids of sessions and API keys that ended, and of users who changed, in whatever
        process. For users with a listener, changes of their objects are reported, too. With
        `protocol.device.listeners.AGAIN` before the id, everything of that user must be
        republished. With `SETTINGS` before it, another process has added, changed or deleted
        devices or feeds of that user.

        `begun` is called when nothing is missed from then on. It continues until the connection
        behind it fails, which it detects within `check_s` and some seconds.

        Raises:
            Unavailable: the connection failed; later changes are not reported.
        """
        ...

    # Audit log

    async def add_audit(self, entry: AuditEntry) -> None: ...

"""What the store knows of people: accounts, sign-ins, and what was done to an account."""

from collections.abc import Callable, Collection
from typing import Protocol

from protocol.people.people import AuditEntry, Session
from protocol.people.user import User


class PeopleStore(Protocol):
    async def add_user(self, user: User) -> None:
        """Raises `Conflict` when the e-mail address or the subject is taken (whatever its case)."""
        ...

    async def user_by_email(self, email: str) -> User | None: ...

    async def account(self, email: str) -> tuple[User, frozenset[str]] | None:
        """Who has that e-mail address, and the addresses where they are signed in."""
        ...

    async def user_by_subject(self, idp: str, subject: str) -> User | None:
        """Who another identity provider knows by that name."""
        ...

    async def user(self, user_id: str) -> User | None: ...

    async def update_user(
        self, user: User, *, sign_out: bool = False, known: int | None = None
    ) -> None:
        """`sign_out`: every session ends in the same moment. Raises `Conflict` as `add_user`, and
        `Outdated` where the revision is not the known one."""
        ...

    # Sign-ins

    async def add_session(self, session: Session, password_hash: str | None) -> bool:
        """False where the password is not the one that was verified any more: nothing is added.

        Beyond `SESSIONS_MAX` of a user the oldest ends.
        """
        ...

    async def session(self, session_id: str) -> tuple[Session, User] | None: ...

    async def sessions_alive(self, session_ids: Collection[str]) -> set[str]:
        """Which of them have not ended; ids of API keys may be among them."""
        ...

    async def delete_sessions(self, user_id: str, session_ids: Collection[str]) -> list[str]:
        """They end; answers with those that had not ended before."""
        ...

    async def add_ticket(self, sha256: bytes, session_id: str, expires_us: int) -> None: ...

    async def take_ticket(self, sha256: bytes, now_us: int) -> str | None:
        """The session of a ticket that still counts; it opens nothing again."""
        ...

    async def follow_people(
        self, heard: Callable[[str], None], begun: Callable[[], None], check_s: float
    ) -> None:
        """Tell of ids of sessions and API keys that ended, and of users who changed (those with a
        listener also where what they have changed, and with `protocol.device.listeners.AGAIN`
        before the id of whom all is to be said again), by whatever process; with `SETTINGS` before
        it, of users whose devices or feeds another process has added, changed or deleted.

        `begun` is called when nothing is missed from then on. It goes on until the connection
        behind it fails, which it finds out within `check_s` and some seconds.

        Raises:
            Unavailable: then; what happened since is not told.
        """
        ...

    # What was done

    async def add_audit(self, entry: AuditEntry) -> None: ...

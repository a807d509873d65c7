"""Accounts, sign-ins and the audit log in the store's twin."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import msgspec
import trio

from actors.adapters.memory.store.tables import CALLER, Tables, is_rolled_back
from actors.runtime.clock import WallClock
from protocol.device.listeners import SETTINGS
from protocol.errors import Conflict
from protocol.people.people import SESSIONS_MAX, AuditEntry, Session
from protocol.people.second_factor import SecondFactor
from protocol.people.user import User
from protocol.problems.detail import Detail
from protocol.times import SECOND_US


class PeopleTables(Tables):
    """See `actors.ports.people.PeopleStore`.

    Attributes:
        all_sessions: of all users, by their ids.
    """

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self.all_sessions: dict[str, Session] = {}
        self._factors: dict[str, SecondFactor] = {}
        self._tickets: dict[bytes, tuple[str, int]] = {}
        self._resets: dict[bytes, tuple[str, int]] = {}  # whose, and until when
        # Whose, of which address, and until when.
        self._verifications: dict[bytes, tuple[str, str, int]] = {}
        self._audit: list[AuditEntry] = []
        self._followers: list[tuple[Callable[[str], None], object]] = []

    async def add_user(self, user: User) -> None:
        await self._cross()
        self._check_unique(user)
        self._users[user.id] = user

    def _check_unique(self, user: User) -> None:
        for other in self._users.values():
            if other.id == user.id:
                continue
            if user.subject and (other.idp, other.subject) == (user.idp, user.subject):
                raise Conflict(Detail("person_exists"))
            if user.email and (other.email or "").lower() == user.email.lower():
                raise Conflict(Detail("account_exists"))

    async def user_by_email(self, email: str) -> User | None:
        await self._cross()
        found = [u for u in self._users.values() if u.email and u.email.lower() == email.lower()]
        return found[0] if found else None

    async def account(self, email: str) -> tuple[User, frozenset[str]] | None:
        user = await self.user_by_email(email)
        if user is None:
            return None
        mine = (s.address for s in self.all_sessions.values() if s.user_id == user.id)
        return user, frozenset(mine)

    async def user_by_subject(self, idp: str, subject: str) -> User | None:
        await self._cross()
        found = [u for u in self._users.values() if (u.idp, u.subject) == (idp, subject)]
        return found[0] if found else None

    async def user(self, user_id: str) -> User | None:
        await self._cross()
        return self._users.get(user_id)

    # Sign-ins

    async def add_session(
        self, session: Session, password_hash: str | None, factor_us: int | None = None
    ) -> bool:
        await self._cross()
        user = self._users.get(session.user_id)
        if user is None or user.disabled_us is not None or user.password_hash != password_hash:
            return False
        factor = self._factors.get(user.id)
        if factor_us != (None if factor is None else factor.confirmed_us):
            return False
        self.all_sessions[session.id] = msgspec.structs.replace(session, num=self._next("session"))
        mine = [s.id for s in self.all_sessions.values() if s.user_id == user.id]
        self._end(mine[:-SESSIONS_MAX])
        return True

    def _end(self, session_ids: Collection[str]) -> None:
        for session_id in session_ids:
            del self.all_sessions[session_id]
            for ticket in [t for t, (of, _) in self._tickets.items() if of == session_id]:
                del self._tickets[ticket]
            self._tell(session_id)

    def _end_resets(self, user_id: str) -> None:
        for old in [s for s, (user, _) in self._resets.items() if user == user_id]:
            del self._resets[old]

    def _end_verifications(self, user_id: str, but: str | None = None) -> None:
        """Links of this user that confirm an address, except this one."""
        mine = {s: email for s, (user, email, _) in self._verifications.items() if user == user_id}
        for old in [s for s, email in mine.items() if email != but]:
            del self._verifications[old]

    def _tell(self, changed: str) -> None:
        if not is_rolled_back():  # notifications are sent at the end of a transaction
            self.tell_followers(changed)

    def tell_followers(self, changed: str) -> None:
        """A notification to all followers: every role of the server may send one."""
        caller = CALLER.get()
        for heard, process in list(self._followers):
            if process is not caller or not changed.startswith(SETTINGS):
                heard(changed)

    async def session(self, session_id: str) -> tuple[Session, User] | None:
        await self._cross()
        found = self.all_sessions.get(session_id)
        return None if found is None else (found, self._users[found.user_id])

    async def sessions_alive(self, session_ids: Collection[str]) -> set[str]:
        await self._cross()
        return {each for each in session_ids if self._is_alive(each)}

    def _is_alive(self, session_id: str) -> bool:
        return session_id in self.all_sessions

    async def delete_sessions(self, user_id: str, session_ids: Collection[str]) -> list[str]:
        await self._cross()
        mine = [s for s in session_ids if s in self.all_sessions]
        ended = [s for s in mine if self.all_sessions[s].user_id == user_id]
        self._end(ended)
        return ended

    async def add_ticket(self, sha256: bytes, session_id: str, expires_us: int) -> None:
        await self._cross()
        if session_id in self.all_sessions:
            self._tickets[sha256] = session_id, expires_us

    async def take_ticket(self, sha256: bytes, now_us: int) -> str | None:
        await self._cross()
        session_id, expires_us = self._tickets.pop(sha256, (None, 0))
        return session_id if expires_us > now_us else None

    async def follow_people(
        self, heard: Callable[[str], None], begun: Callable[[], None], check_s: float
    ) -> None:
        with self.following(heard):
            begun()
            while True:
                await trio.sleep(check_s)
                await self._cross()

    @contextmanager
    def following(self, heard: Callable[[str], None], process: object = None) -> Iterator[None]:
        """While a process listens."""
        follower = heard, process
        self._followers.append(follower)
        try:
            yield
        finally:
            self._followers.remove(follower)

    # Audit log

    async def add_audit(self, entry: AuditEntry) -> None:
        await self._cross()
        self._note(entry)

    def _note(self, entry: AuditEntry) -> None:
        self._audit.append(msgspec.structs.replace(entry, num=self._next("audit")))

    def _forget_signed_out(self, audit_days: int) -> None:
        """Delete what has expired by the server's clock."""
        now_us = self._clock.now_us()
        self._end([s.id for s in self.all_sessions.values() if s.expires_us < now_us])
        gone = [t for t, (_, expires_us) in self._tickets.items() if expires_us < now_us]
        for ticket in gone:
            del self._tickets[ticket]
        kept_us = audit_days * 24 * 3600 * SECOND_US
        self._audit = [e for e in self._audit if e.at_us >= now_us - kept_us]

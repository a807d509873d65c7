"""Dead letters in the store's twin."""

from collections.abc import Collection, Iterable, Sequence
from itertools import islice

import msgspec

from actors.adapters.memory.store.tables import Tables
from actors.runtime.clock import WallClock
from protocol.dead_letters import (
    DETAIL_MAX,
    KEPT_MAX,
    PAUSE_MAX_S,
    SUBJECT_MAX,
    DeadLetter,
    is_due,
    line,
    pause_us,
    reason_of,
    storable,
)
from protocol.errors import Unavailable, Unreadable
from protocol.times import SECOND_US

# As many as the PostgreSQL adapter tries.
OTHERS_MAX = 10


class DeadLetterTables(Tables):
    """See `actors.ports.dead_letters.DeadLetterStore`.

    Attributes:
        all_dead_letters: by kind of work and subject.
        unreadable: rows by list and number, and why they cannot be read.
    """

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self.all_dead_letters: dict[tuple[str, str], DeadLetter] = {}
        self.unreadable: dict[tuple[str, int], str] = {}

    async def put_aside(
        self,
        work: str,
        subject: str,
        reason: str,
        *,
        now_us: int,
        user_id: str | None = None,
        detail: str = "",
    ) -> int | None:
        await self._cross()
        return self._put_aside(work, subject, reason, now_us, user_id, detail)

    def _put_aside(
        self,
        work: str,
        subject: str,
        reason: str,
        now_us: int,
        user_id: str | None = None,
        detail: str = "",
    ) -> int | None:
        """Like `put_aside`, inside another call."""
        subject = storable(subject, SUBJECT_MAX)
        known = self.all_dead_letters.get((work, subject))
        if known is None and self._count_dead_letters().get(work, 0) >= KEPT_MAX:
            return None
        attempts = 1 if known is None else known.attempts + 1
        if known is None:
            num = self._next("dead letter")
            letter_id, first_us = f"00000000-0000-4000-d000-{num:012x}", now_us
        else:
            letter_id, first_us = known.id, known.first_us
        letter = DeadLetter(
            id=letter_id,
            work=work,
            subject=subject,
            user_id=user_id,
            reason=line(reason),
            detail=storable(detail, DETAIL_MAX),
            attempts=attempts,
            first_us=first_us,
            last_us=now_us,
            next_try_us=now_us + pause_us(attempts),
        )
        self.all_dead_letters[work, subject] = letter
        return letter.next_try_us

    def _hold(
        self,
        work: str,
        subject: str,
        error: Exception,
        now_us: int,
        user_id: str | None,
        pause_max_s: int = PAUSE_MAX_S,
    ) -> int:
        """Put a row of its own aside; return when it is due again."""
        next_us = self._put_aside(work, subject, reason_of(error), now_us, user_id)
        longest_us = now_us + pause_max_s * SECOND_US
        return longest_us if next_us is None else min(next_us, longest_us)

    def _unread(self, *rows: tuple[str, int]) -> Unreadable | None:
        """The error of reading these rows."""
        reasons = [self.unreadable[row] for row in rows if row in self.unreadable]
        return Unreadable(reasons[0]) if reasons else None

    def _check_readable(
        self, due: Sequence[Unreadable | None], others: Iterable[Unreadable | None]
    ) -> None:
        """Raises `Unavailable` if neither the rows of a claim nor any other row can be read."""
        if due and all(due) and all(islice(others, OTHERS_MAX)):
            raise Unavailable(str(due[0]))

    async def clear_dead_letters(self, work: str, subjects: Collection[str]) -> int:
        await self._cross()
        return self._clear_dead_letters(work, subjects)

    def _clear_dead_letters(self, work: str, subjects: Collection[str]) -> int:
        names = [storable(subject, SUBJECT_MAX) for subject in subjects]
        gone = [self.all_dead_letters.pop((work, name), None) for name in dict.fromkeys(names)]
        return sum(letter is not None for letter in gone)

    async def forget_dead_letters(self, work: str, due_before_us: int) -> int:
        await self._cross()
        old = [e for e in self.all_dead_letters.values() if e.next_try_us < due_before_us]
        return self._clear_dead_letters(work, [e.subject for e in old if e.work == work])

    async def forget_gone_letters(self, work: str) -> int:
        await self._cross()
        mine = [subject for kind, subject in self.all_dead_letters if kind == work]
        return self._clear_dead_letters(work, [s for s in mine if self._is_gone(work, s)])

    def _is_gone(self, work: str, subject: str) -> bool:
        """Whether that subject no longer exists, or has ended; tables with such rows extend
        this."""
        return False

    async def due_dead_letters(self, work: str, now_us: int, limit: int) -> list[DeadLetter]:
        await self._cross()
        return self._due_dead_letters(work, now_us)[:limit]

    def _due_dead_letters(self, work: str, now_us: int) -> list[DeadLetter]:
        letters = [each for each in self.all_dead_letters.values() if each.work == work]
        due = [each for each in letters if is_due(each, now_us)]
        return sorted(due, key=lambda each: (each.next_try_us, each.subject))

    async def dead_letters(self, limit: int, after: tuple[int, str] | None) -> list[DeadLetter]:
        await self._cross()
        found = sorted(self.all_dead_letters.values(), key=lambda each: (each.first_us, each.id))
        return [each for each in found if after is None or (each.first_us, each.id) > after][:limit]

    async def count_dead_letters(self) -> dict[str, int]:
        await self._cross()
        return self._count_dead_letters()

    def _count_dead_letters(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for work, _ in sorted(self.all_dead_letters):
            counts[work] = counts.get(work, 0) + 1
        return counts

    async def retry_dead_letters(self, letter_id: str | None, now_us: int) -> int:
        await self._cross()
        chosen = [e for e in self.all_dead_letters.values() if letter_id in (None, e.id)]
        for letter in chosen:
            due = msgspec.structs.replace(letter, next_try_us=now_us)
            self.all_dead_letters[letter.work, letter.subject] = due
            self._due_again(letter.work, letter.subject, now_us)
        return len(chosen)

    def _due_again(self, work: str, subject: str, now_us: int) -> None:
        """Make the row of that subject due, if it has one; tables with such rows extend this."""

    async def drop_dead_letter(self, letter_id: str) -> bool:
        await self._cross()
        gone = [place for place, e in self.all_dead_letters.items() if e.id == letter_id]
        for place in gone:
            del self.all_dead_letters[place]
        return bool(gone)

"""The store's part for work that failed because of its content."""

from collections.abc import Collection
from typing import Protocol

from protocol.dead_letters import DeadLetter


class DeadLetterStore(Protocol):
    """Adapters put work aside inside the transaction in which it failed; these calls do the same in
    a transaction of their own."""

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
        """Note one more failed attempt; return when (µs) the next one is due.

        `detail` may be longer than `reason`: a traceback.

        None: there are `KEPT_MAX` of this work already, and it is not noted. A caller that has the
        work nowhere else must keep it.
        """
        ...

    async def clear_dead_letters(self, work: str, subjects: Collection[str]) -> int:
        """These succeeded, or no longer exist; return how many there were."""
        ...

    async def forget_dead_letters(self, work: str, due_before_us: int) -> int:
        """Delete letters that were due before this time and were not renewed: their work succeeded,
        or no longer exists."""
        ...

    async def forget_gone_letters(self, work: str) -> int:
        """Delete letters of this work whose subject was deleted, or has ended otherwise; return how
        many. Listeners' letters stay: what a deleted listener left is cleared by their next try."""
        ...

    async def due_dead_letters(self, work: str, now_us: int, limit: int) -> list[DeadLetter]:
        """Those that are due for their next try, the longest due first."""
        ...

    async def dead_letters(self, limit: int, after: tuple[int, str] | None) -> list[DeadLetter]:
        """The oldest first; those after (`first_us`, `id`) of the last one seen."""
        ...

    async def count_dead_letters(self) -> dict[str, int]:
        """How many, by kind of work; kinds without any are not in it."""
        ...

    async def retry_dead_letters(self, letter_id: str | None, now_us: int) -> int:
        """Try this one, or all of them, now; return how many. Work with its own row becomes due by
        that row, too. A webhook that was paused because it failed is no longer paused, and these
        deliveries are its first."""
        ...

    async def drop_dead_letter(self, letter_id: str) -> bool:
        """Delete it. Work with its own row that still fails is put aside again; work without one is
        given up. False if there is none."""
        ...

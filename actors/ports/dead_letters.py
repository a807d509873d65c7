"""What the store keeps of work that failed for its content."""

from collections.abc import Collection
from typing import Protocol

from protocol.dead_letters import DeadLetter


class DeadLetterStore(Protocol):
    """Adapters put work aside inside the transaction that found it failing; these calls do the
    same in one of their own."""

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
        """Note one more failed attempt; answers when (µs) the next one shall come.

        `detail` may be longer than `reason`: a traceback.

        None: there are `KEPT_MAX` of this work already, and it is not noted. Who has the work in no
        other place must keep it there.
        """
        ...

    async def clear_dead_letters(self, work: str, subjects: Collection[str]) -> int:
        """These succeeded, or are gone; answers how many there were."""
        ...

    async def forget_dead_letters(self, work: str, due_before_us: int) -> int:
        """Those that were due before then and were not renewed: they succeeded, or are gone."""
        ...

    async def forget_gone_letters(self, work: str) -> int:
        """Those of this work whose subject was deleted, or has ended some other way; answers how
        many. Listeners' letters stay: what a deleted listener left is cleared by their next try."""
        ...

    async def due_dead_letters(self, work: str, now_us: int, limit: int) -> list[DeadLetter]:
        """Those whose next try has come, the longest due first."""
        ...

    async def dead_letters(self, limit: int, after: tuple[int, str] | None) -> list[DeadLetter]:
        """The oldest first; those after (`first_us`, `id`) of the last one seen."""
        ...

    async def count_dead_letters(self) -> dict[str, int]:
        """How many, by kind of work; kinds without any are not in it."""
        ...

    async def retry_dead_letters(self, letter_id: str | None, now_us: int) -> int:
        """Try this one, or all of them, now; answers how many. What has a row of its own is due by
        that row, too; a webhook that is left alone because it failed is so no longer, and these
        deliveries are its first."""
        ...

    async def drop_dead_letter(self, letter_id: str) -> bool:
        """Forget it. What still has a row of its own that fails is put aside again; what was only
        here is given up. False where there is none."""
        ...

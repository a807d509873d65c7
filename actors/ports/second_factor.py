"""The store's part for second factors."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from protocol.people.people import AuditEntry
from protocol.people.second_factor import SecondFactor

# What becomes of a user's factor (None: there is none), and what the activity log says about it.
FactorChange: TypeAlias = Callable[
    [SecondFactor | None], tuple[SecondFactor | None, Sequence[AuditEntry]]
]


class SecondFactorStore(Protocol):
    async def second_factor(self, user_id: str) -> SecondFactor | None:
        """Also one that no code has confirmed yet."""
        ...

    async def update_second_factor(
        self, user_id: str, change: FactorChange, *, only_session: str | None = None
    ) -> list[str]:
        """Read it, and store what `change` makes of it; one after the other for each user, all or
        nothing. What `change` raises is raised here, and nothing is stored.

        Args:
            only_session: all other sessions of the user end with the change.

        Returns: the sessions that ended.
        """
        ...

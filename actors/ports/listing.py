"""Sorted and filtered lists of the store."""

from typing import Protocol, TypeVar

from protocol.rest.listing import Listing, ListOf, UnreadableRow

T = TypeVar("T")


class ListStore(Protocol):
    async def listed(
        self, noun: ListOf[T], user_id: str, asked: Listing
    ) -> list[tuple[str, T | UnreadableRow]]:
        """A page of a user's list; each item comes with its position, as text.

        A row that cannot be read hides no other: it is noted (`note_unreadable`).
        """
        ...

    async def note_unreadable(self, noun: str, num: int, user_id: str, reason: str) -> None:
        """Put this row of a list aside, for an operator; once per pause of its letter, however
        often the list is read."""
        ...

    async def read_row_again(self, subject: str, user_id: str) -> None:
        """A row that was put aside: if it can be read, or no longer exists, its letter is deleted;
        otherwise it counts one more attempt."""
        ...

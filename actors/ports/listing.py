"""Sorted and filtered lists of the store."""

from typing import Protocol, TypeVar

from protocol.listing import Listing, ListOf

T = TypeVar("T")


class ListStore(Protocol):
    async def listed(self, noun: ListOf[T], user_id: str, asked: Listing) -> list[tuple[str, T]]:
        """A page of one's list; each item comes with its value in that order, as text."""
        ...

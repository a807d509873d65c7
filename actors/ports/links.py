"""Addresses that open without a login."""

from typing import Protocol

from actors.runtime.clock import WallClock as WallClock


class Links(Protocol):
    """Addresses that open without a login, for a while."""

    def url(self, media_id: str, expires_us: int) -> str:
        """Raises `Unavailable` as long as our own address is not known."""
        ...

    def is_valid(self, media_id: str, expires: int, signature: str, now_us: int) -> bool:
        """Whether a link with these parts is ours and works at that time."""
        ...

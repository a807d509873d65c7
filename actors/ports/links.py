"""Links that need no login."""

from typing import Protocol

from actors.runtime.clock import WallClock as WallClock


class Links(Protocol):
    """Links that need no login, and expire."""

    def url(self, media_id: str, expires_us: int) -> str:
        """Raises `Unavailable` while the address of this server is not known."""
        ...

    def is_valid(self, media_id: str, expires: int, signature: str, now_us: int) -> bool:
        """Whether a link with these parts is ours and valid at that time."""
        ...

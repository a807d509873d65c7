"""Links that need no login."""

from typing import Protocol

import msgspec


class MediaLink(msgspec.Struct, frozen=True):
    """What a link to the content of media says.

    Attributes:
        expires: in Unix seconds.
        device_id, login: the device that it is for, and of what password (`Links.login`); None in
            links of earlier versions, which expire within days.
    """

    media_id: str
    expires: int
    device_id: str | None = None
    login: str | None = None


class Links(Protocol):
    """Links that need no login, and expire."""

    def url(self, media_id: str, expires_us: int, device_id: str, password_sha256: bytes) -> str:
        """Raises `Unavailable` while the address of this server is not known."""
        ...

    def is_valid(self, link: MediaLink, signature: str, now_us: int) -> bool:
        """Whether a link with these parts is ours and valid at that time. Its device may have been
        deleted or have other credentials by now."""
        ...

    def login(self, password_sha256: bytes) -> str:
        """What a link says of its device's password."""
        ...

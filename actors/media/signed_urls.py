"""Signed links to the content of media, for clients without a login, such as devices.

    links = MediaLinks(secret, lambda: "https://roost.example")
    url = links.url(media_id, expires_us)

A link contains the media's id and an expiry. An HMAC (RFC 2104) proves that it is ours. Its key is
derived from the JWT secret for this purpose only, so that neither can replace the other.
"""

import hmac
from collections.abc import Callable

from protocol.times import SECOND_US

PURPOSE = b"roost: links to media, 1"


class MediaLinks:
    """Creates links and verifies them."""

    def __init__(self, secret: bytes | str, base_url: Callable[[], str]) -> None:
        secret = secret.encode() if isinstance(secret, str) else secret
        self._key = hmac.digest(secret, PURPOSE, "sha256")
        self._base_url = base_url

    def url(self, media_id: str, expires_us: int) -> str:
        """A link that works until `expires_us`, cut to a whole second.

        Raises:
            Unavailable: the address that Roost listens on is not known yet.
        """
        expires = expires_us // SECOND_US
        query = f"expires={expires}&signature={self._signature(media_id, expires)}"
        return f"{self._base_url()}/api/v1/media/{media_id}/content?{query}"

    def is_valid(self, media_id: str, expires: int, signature: str, now_us: int) -> bool:
        """Whether the link is ours and has not expired. `expires` in Unix seconds."""
        right = self._signature(media_id, expires)
        # Bytes: texts that are not ASCII cannot be compared in constant time.
        same = hmac.compare_digest(right.encode(), signature.encode("utf-8", "surrogatepass"))
        return same and now_us < expires * SECOND_US

    def _signature(self, media_id: str, expires: int) -> str:
        return hmac.digest(self._key, f"{media_id}\n{expires}".encode(), "sha256").hex()

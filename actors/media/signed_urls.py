"""Signed links to the content of media, for devices, which have no login here.

    links = MediaLinks(secret, lambda: "https://roost.example")
    url = links.url(media_id, expires_us, device_id, password_sha256)

A link names the media, its expiry, the device that it was made for, and, as a short digest, the
password of that device: it ends with the device and with its credentials. An HMAC (RFC 2104) proves
that it is ours. Its key is derived from the JWT secret for this purpose only, so that neither can
replace the other.
"""

import hmac
from collections.abc import Callable

from actors.ports.links import MediaLink
from protocol.times import SECOND_US

PURPOSE = b"roost: links to media, 1"
LOGIN_DIGITS = 16


class MediaLinks:
    """Creates links and verifies them."""

    def __init__(self, secret: bytes | str, base_url: Callable[[], str]) -> None:
        secret = secret.encode() if isinstance(secret, str) else secret
        self._key = hmac.digest(secret, PURPOSE, "sha256")
        self._base_url = base_url

    def url(self, media_id: str, expires_us: int, device_id: str, password_sha256: bytes) -> str:
        """A link that works until `expires_us`, cut to a whole second.

        Raises:
            Unavailable: the address that Roost listens on is not known yet.
        """
        expires = expires_us // SECOND_US
        link = MediaLink(media_id, expires, device_id, self.login(password_sha256))
        query = f"device={device_id}&login={link.login}&expires={expires}"
        place = f"{self._base_url()}/api/v1/media/{media_id}/content"
        return f"{place}?{query}&signature={self._signature(link)}"

    def is_valid(self, link: MediaLink, signature: str, now_us: int) -> bool:
        """Whether the link is ours and has not expired; the caller checks its device."""
        # Bytes: texts that are not ASCII cannot be compared in constant time.
        said = signature.encode("utf-8", "surrogatepass")
        same = hmac.compare_digest(self._signature(link).encode(), said)
        return same and now_us < link.expires * SECOND_US

    def login(self, password_sha256: bytes) -> str:
        """What a link says of its device's password."""
        return hmac.digest(self._key, password_sha256, "sha256").hex()[:LOGIN_DIGITS]

    def _signature(self, link: MediaLink) -> str:
        said = f"{link.media_id}\n{link.expires}"
        if link.device_id is not None:  # links of earlier versions name no device
            said += f"\n{link.device_id}\n{link.login}"
        return hmac.digest(self._key, said.encode(), "sha256").hex()

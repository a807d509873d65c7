"""The store's part for API keys, and links that reset a password or confirm an address."""

from typing import Protocol

from protocol.people.access import ApiKey
from protocol.people.user import User


class AccessStore(Protocol):
    async def add_api_key(self, key: ApiKey) -> ApiKey:
        """Returns it with its `num`. Raises `Conflict` if the user has `KEYS_MAX` of them."""
        ...

    async def api_key(self, sha256: bytes) -> tuple[ApiKey, User] | None:
        """The key with this hash, and its user, who is not disabled."""
        ...

    async def api_key_used(self, key_id: str, now_us: int, network: str) -> bool:
        """Note the use; return whether it is the first from this network (of the last
        `KEY_NETWORKS_MAX` that are known)."""
        ...

    async def delete_api_key(self, user_id: str, key_id: str) -> bool:
        """It becomes invalid, and followers of people are told its id. False if there was none."""
        ...

    async def add_reset(self, sha256: bytes, user_id: str, expires_us: int) -> None:
        """A link for a new password; earlier ones of this user become invalid."""
        ...

    async def reset_user(self, sha256: bytes, now_us: int) -> User | None:
        """The user of a valid link, who is not disabled. The link ends when the user is signed out
        (`update_user`)."""
        ...

    async def add_email_verification(
        self, sha256: bytes, user_id: str, email: str, expires_us: int
    ) -> None:
        """A link that confirms this address; earlier ones of this user become invalid."""
        ...

    async def email_verification(self, sha256: bytes, now_us: int) -> tuple[User, str] | None:
        """The user of a valid link, who is not disabled, and the address. The link ends when the
        address is confirmed or is no longer wanted (`update_user`)."""
        ...

"""API keys, and one-time links that reset a password.

A key is `roost_`, an eight-character prefix by which its owner recognises it, `_`, and a secret.
Only its SHA-256 is stored. Scope `read` allows every read, `write` also changes. Neither allows
access to the account itself (password, sessions, keys).
"""

import hashlib
import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.people.views import Password
from protocol.rest.shapes import Id, Name, Time
from protocol.views import view_of

KEY_PREFIX = "roost_"
KEYS_MAX = 50
# Networks from which a key was used, for the activity log.
KEY_NETWORKS_MAX = 50
RESET_S = 3600
VERIFY_S = 24 * 3600
# The token of a reset link that was mailed: whoever has it reads the mail of the address.
MAILED = "mail."
# A key's last use is stored at most this often.
USED_EVERY_S = 60

WRITE = "write"
Scope = Literal["read", "write"]

_KEY = re.compile(r"roost_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{20,64}", re.ASCII)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A stored API key. `sha256` is of the whole key."""

    num: int = 0
    id: str
    user_id: str
    name: str
    prefix: str
    sha256: bytes
    scope: Scope
    created_us: int
    expires_us: int | None = None
    last_used_us: int | None = None


class OwnSecrets(msgspec.Struct, frozen=True):
    """What a user has that stays valid after sign-out: the ids of API keys, and the username of the
    read-only MQTT login."""

    key_ids: tuple[str, ...] = ()
    listener: str | None = None


class NewApiKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`expires_at`: null for a key that does not expire."""

    name: Name
    scope: Scope = "read"
    expires_at: Time | None = None


class ApiKeyView(msgspec.Struct, frozen=True, kw_only=True):
    id: Id
    name: str
    prefix: str
    scope: Scope
    created_at: str
    expires_at: str | None
    last_used_at: str | None


class ApiKeyCreated(ApiKeyView, frozen=True, kw_only=True):
    """`key` is shown once."""

    key: str


class ResetAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    email: Annotated[str, Meta(max_length=254)]


class EmailToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`token`: from the link in the mail."""

    token: Annotated[str, Meta(max_length=200)]


class PasswordReset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`token`: from the reset link. `revoke`: also API keys and the read-only MQTT login."""

    token: Annotated[str, Meta(max_length=200)]
    password: Password
    revoke: bool = True


def is_key(token: str) -> bool:
    """Whether a token is an API key rather than a JWT."""
    return token.startswith(KEY_PREFIX) and _KEY.fullmatch(token) is not None


def kept_of(secret: str) -> bytes:
    """The stored digest of a generated secret: 160 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def new_key(prefix: str, secret: str) -> str:
    return f"{KEY_PREFIX}{prefix}_{secret}"


def key_view(key: ApiKey) -> ApiKeyView:
    return view_of(ApiKeyView, key, prefix=f"{KEY_PREFIX}{key.prefix}")

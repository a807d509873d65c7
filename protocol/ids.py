"""Ids as the outside sees them, and how a secret that we made is kept."""

import hashlib
import re

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in lower case with dashes; there is one spelling of each id."""
    return _UUID.fullmatch(text) is not None


def password_digest(password: str) -> bytes:
    """SHA-256 of a password that we made ourselves: 160 random bits need no slow hash."""
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()

"""The spelling of ids, and the digest under which generated passwords are stored."""

import hashlib
import re

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in lower case with dashes, the only spelling that is accepted."""
    return _UUID.fullmatch(text) is not None


def password_digest(password: str) -> bytes:
    """SHA-256 of a generated password: 160 random bits need no slow hash."""
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()

"""New passwords, and how a password and an email address are written.

The same text can be typed as different code points (an accented letter as one or as two). Both are
brought to Unicode's composed form (NFC, as in RFC 8265) before they are compared or hashed.
"""

import unicodedata
from functools import cache
from importlib import resources

from protocol.errors import Invalid
from protocol.problems.detail import Detail

COMMON = "common_passwords.txt"


def normal(text: str) -> str:
    """In composed form."""
    return unicodedata.normalize("NFC", text)


def check_new(password: str, field: str = "password") -> None:
    """Refuse one of the 10,000 most common passwords of eight characters or more, whatever its
    case. (The list is by the frequency in published leaks; from the package zxcvbn.)

    Raises:
        Invalid: it is one of them.
    """
    if normal(password).lower() in common():
        raise Invalid({field: Detail("password_common")})


@cache
def common() -> frozenset[str]:
    """The list. Reads a file at the first call: a service calls it in a thread before it serves."""
    text = resources.files(__package__).joinpath(COMMON).read_text("utf-8")
    return frozenset(text.split())

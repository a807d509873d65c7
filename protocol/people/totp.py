"""Codes that change with time (TOTP, RFC 6238): SHA-1, six digits, thirty seconds, as every
authenticator app knows them.

    step = step_of(code, secret, now_us, after=last_step)    # None: wrong, or used before
"""

import base64
import hmac
from urllib.parse import quote

from protocol.times import SECOND_US

SECRET_BYTES = 20  # RFC 4226 §4: as long as the hash
DIGITS = 6
PERIOD_US = 30 * SECOND_US
# A telephone's clock may be off by so many steps, in either direction.
DRIFT = 1
ISSUER = "Roost"
# A longer one makes a picture that a telephone's camera does not like.
ACCOUNT_MAX = 64


def code_at(secret: bytes, step: int) -> str:
    """The code of a step (RFC 4226 §5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(code: str, secret: bytes, now_us: int, *, after: int = -1) -> int | None:
    """The step whose code this is, of those that count now; None if it is of none.

    Args:
        after: the last step that was used: it and earlier ones do not count (RFC 6238 §5.2).
    """
    now = now_us // PERIOD_US
    sent = code.encode("utf-8", "surrogatepass")
    for step in range(max(now - DRIFT, after + 1, 0), now + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), sent):
            return step
    return None


def in_letters(secret: bytes) -> str:
    """As people type it into an app."""
    return base64.b32encode(secret).decode().rstrip("=")


def uri_of(secret: bytes, account: str) -> str:
    """What an app reads from the picture: `otpauth://totp/…`."""
    label = quote(f"{ISSUER}:{account[:ACCOUNT_MAX]}", safe=":", errors="replace")
    return f"otpauth://totp/{label}?secret={in_letters(secret)}&issuer={ISSUER}"

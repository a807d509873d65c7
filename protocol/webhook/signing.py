"""The signature of a delivery, by the Standard Webhooks specification 1.0.

    webhook-id: the event's id            webhook-timestamp: Unix seconds
    webhook-signature: v1,Base64(HMAC-SHA256(key, id "." timestamp "." body))

A public specification, so that receivers can verify signatures with an existing library.
"""

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def new_secret(random_bits: bytes) -> str:
    """The secret of a webhook as text; `random_bits`, 24 to 64 bytes, are the key."""
    return PREFIX + base64.b64encode(random_bits).decode()


def signature(secret: str, event_id: str, at_s: int, body: bytes) -> str:
    """The value of `webhook-signature`; `at_s` in Unix seconds."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{event_id}.{at_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def signed_headers(secret: str, event_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of one try; `at_s` in Unix seconds. Receivers refuse times minutes off theirs."""
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": signature(secret, event_id, at_s, body),
    }

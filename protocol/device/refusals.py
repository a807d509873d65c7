"""Refused messages as the store has them: those that are kept, and how many are not.

Times are microseconds since 1970 (`protocol.times`).
"""

import msgspec

# Roughly what a refusal takes in the store besides its texts.
REFUSAL_ROW_BYTES = 200


class StoredRejection(msgspec.Struct, frozen=True, kw_only=True):
    """A stored refusal. `payload` is cut, and base64 if it is not UTF-8. `coded`: see
    `protocol.problems.detail`; refusals of before have none."""

    num: int
    id: str
    received_us: int
    topic: str
    payload: str
    encoding: str  # "utf-8" or "base64"
    reason: str
    detail: str
    coded: str | None
    device_id: str | None


class NotKept(msgspec.Struct, frozen=True):
    """How many refusals of a device were counted and not kept, and the time (µs) of the last."""

    many: int = 0
    last_us: int | None = None

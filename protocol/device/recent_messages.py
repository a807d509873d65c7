"""The REST view of a device's recent messages."""

import base64

from protocol.problems.coded import CodedView, code_of
from protocol.times import format_us


class SeenView(CodedView, frozen=True, kw_only=True):
    """A message as received. `payload` is its first kilobyte, `size` its full length in bytes.
    `reason` is null unless some of it was refused."""

    at: str
    topic: str
    payload: str
    encoding: str  # "utf-8" or "base64"
    size: int
    qos: int
    retained: bool
    reason: str | None
    detail: str | None


def shown(payload: bytes, *, is_cut: bool) -> tuple[str, str]:
    """A payload as text, and the encoding: "utf-8", or "base64" if it is not UTF-8."""
    try:
        return payload.decode(), "utf-8"
    except UnicodeDecodeError as error:
        # The cut may split a character, which is no reason for base64.
        if is_cut and error.start >= len(payload) - 3:
            return payload[: error.start].decode(), "utf-8"
        return base64.b64encode(payload).decode(), "base64"


def seen_view(
    *,
    at_us: int,
    topic: str,
    payload: bytes,
    size: int,
    qos: int,
    retained: bool,
    reason: str,
    detail: str,
    coded: str | None,
) -> SeenView:
    text, encoding = shown(payload, is_cut=size > len(payload))
    return SeenView(
        at=format_us(at_us),
        topic=topic,
        payload=text,
        encoding=encoding,
        size=size,
        qos=qos,
        retained=retained,
        reason=reason or None,
        detail=detail or None,
        **code_of(coded),
    )

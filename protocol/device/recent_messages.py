"""How a device's last messages are shown over REST."""

import base64

import msgspec

from protocol.times import format_us


class SeenView(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it came: the beginning of its payload (a kilobyte), and all of its `size` in
    bytes. `reason` is null where nothing of it was refused."""

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
    """A payload as text, and how: base64 where it is not UTF-8."""
    try:
        return payload.decode(), "utf-8"
    except UnicodeDecodeError as error:
        # The cut may go through a character.
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
    )

"""Values of feeds: what number, bool and text feeds accept, and the digest in a reading's key."""

import hashlib
import math
import re
import struct
from typing import Any, Literal

import msgspec

from protocol.device import tolerant
from protocol.errors import Reason, Refusal

Kind = Literal["number", "text", "bool"]
Value = float | str | bool

TEXT_BYTES_MAX = 1_024
_NUMBER_CHARACTERS_MAX = 64
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_WORDS = {"true": True, "false": False, "1": True, "0": False, "on": True, "off": False}


def take_value(kind: Kind, raw: Any) -> Value:
    """The typed value of a JSON scalar, by the kind of the feed: float, bool or str.

    Raises:
        Refusal: `bad_value`, with a detail for the developer of the device.
    """
    if kind == "number":
        return to_number(raw, "a number feed")
    if kind == "bool":
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, int | float) and raw in (0, 1):
            return raw == 1
        said = _WORDS.get(raw.strip().lower()) if isinstance(raw, str) else None
        if said is None:
            raise Refusal(Reason.BAD_VALUE, "a bool feed accepts true, false, 1, 0, on and off")
        return said
    if not isinstance(raw, str):
        raise Refusal(Reason.BAD_VALUE, "a text feed accepts a string")
    check_text(raw, TEXT_BYTES_MAX, Reason.BAD_VALUE, "the text")
    return raw


def check_word(text: str, characters_max: int, reason: Reason, what: str) -> None:
    """Raises `Refusal` for a text of too many characters, and as `check_text`."""
    check_text(text, 4 * characters_max, reason, what)
    if len(text) > characters_max:
        raise Refusal(reason, f"{what} is longer than {characters_max} characters")


def check_text(text: str, bytes_max: int, reason: Reason, what: str) -> None:
    """Raises `Refusal` for a text that is too long, or that PostgreSQL cannot hold (U+0000, lone
    surrogates)."""
    if "\0" in text:
        raise Refusal(reason, f"{what} contains U+0000")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Refusal(reason, f"{what} is not valid UTF-8") from None
    if size > bytes_max:
        raise Refusal(reason, f"{what} is {size} bytes long; the maximum is {bytes_max}")


def to_number(raw: Any, what: str) -> float:
    """A JSON number or a numeric string, with spaces around it or not, as float64.

    Raises:
        Refusal: `bad_value`; `what` is what accepts numbers.
    """
    if isinstance(raw, str):
        raw = raw.strip()
        if len(raw) > _NUMBER_CHARACTERS_MAX or _NUMBER.fullmatch(raw) is None:
            raise Refusal(Reason.BAD_VALUE, tolerant.not_a_number(raw))
    elif isinstance(raw, bool) or not isinstance(raw, int | float):
        if isinstance(raw, msgspec.Raw):
            raise tolerant.why_unstorable(raw)
        raise Refusal(Reason.BAD_VALUE, f"{what} accepts a JSON number or a numeric string")
    try:
        number = float(raw)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Refusal(Reason.BAD_VALUE, f"{str(raw)[:40]} is beyond the numbers of float64")
    return number + 0.0  # makes 0.0 of -0.0, so that both have one digest


def digest64(value: Value, message_id: str | None = None) -> int:
    """64 signed bits that distinguish two values of one instant in a reading's key.

    A number or bool is its own digest (the bits of its float64), so it cannot collide. A text is
    hashed, and so is a value with a message id, which is then part of its identity.
    """
    if message_id is None and not isinstance(value, str):
        bits: int = struct.unpack("<q", struct.pack("<d", value))[0]
        return bits
    hashed = hashlib.blake2b(digest_size=8)
    hashed.update(repr(value).encode("utf-8", "surrogatepass"))
    if message_id is not None:
        hashed.update(b"\0" + message_id.encode("utf-8", "surrogatepass"))
    return int.from_bytes(hashed.digest(), "little", signed=True)

"""Values of feeds: what number, bool and text feeds accept, and the digest in a reading's key."""

import hashlib
import math
import re
import struct
from typing import Any, Literal

import msgspec

from protocol.device import tolerant
from protocol.errors import Reason, Refusal
from protocol.problems.detail import Detail

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
        return to_number(raw)
    if kind == "bool":
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, int | float) and raw in (0, 1):
            return raw == 1
        said = _WORDS.get(raw.strip().lower()) if isinstance(raw, str) else None
        if said is None:
            raise Refusal(Reason.BAD_VALUE, Detail("value_of_bool_feed"))
        return said
    if not isinstance(raw, str):
        raise Refusal(Reason.BAD_VALUE, Detail("value_of_text_feed"))
    _check_text(raw, TEXT_BYTES_MAX, Reason.BAD_VALUE)
    return raw


def check_word(text: str, characters_max: int, reason: Reason, field: str) -> None:
    """Raises `Refusal` for the text of a field that has too many characters, or that PostgreSQL
    cannot hold (U+0000, lone surrogates)."""
    _check_text(text, 4 * characters_max, reason, field)
    if len(text) > characters_max:
        raise Refusal(reason, Detail("said_too_long", field=field, most=characters_max))


def _check_text(text: str, most: int, reason: Reason, field: str = "") -> None:
    """`field`: none for the value of a text feed. `most` bytes."""
    if "\0" in text:
        raise Refusal(reason, _about(field, "said_zero_character", "value_zero_character"))
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Refusal(reason, _about(field, "said_not_utf8", "value_not_utf8")) from None
    if size > most:
        why = _about(field, "said_too_large", "value_too_long", size=size, most=most)
        raise Refusal(reason, why)


def _about(field: str, of_field: str, of_value: str, **params: int) -> Detail:
    """One of two codes: about a field, or about the value of a feed."""
    return Detail(of_field, field=field, **params) if field else Detail(of_value, **params)


def to_number(raw: Any, field: str = "") -> float:
    """A JSON number or a numeric string, with spaces around it or not, as float64.

    Args:
        field: of which field it is; none for the value of a number feed.

    Raises:
        Refusal: `bad_value`.
    """
    if isinstance(raw, str):
        raw = raw.strip()
        if len(raw) > _NUMBER_CHARACTERS_MAX or _NUMBER.fullmatch(raw) is None:
            raise Refusal(Reason.BAD_VALUE, tolerant.not_a_number(raw))
    elif isinstance(raw, bool) or not isinstance(raw, int | float):
        if isinstance(raw, msgspec.Raw):
            raise tolerant.why_unstorable(raw)
        why = _about(field, "said_not_number", "value_of_number_feed")
        raise Refusal(Reason.BAD_VALUE, why)
    try:
        number = float(raw)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Refusal(Reason.BAD_VALUE, Detail("value_beyond", value=str(raw)[:40]))
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

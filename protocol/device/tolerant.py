"""The second look at a payload that is not quite JSON, or has a key twice: one bad number
must not spoil its message, and no reading may vanish.

    decode(b'{"t": NaN, "h": 61}')      # {"t": Raw(b"NaN"), "h": 61}
    decode(b'{"n": 9, "n": 10}')        # Repeated({"n": 10}), with earlier == [("n", 9)]

A value that JSON does not have (`NaN`, `-inf`, `1e400`, `01`, `1.#IND`) becomes a `msgspec.Raw` of
what the device wrote, which is refused by itself, with `why_unstorable`, and kept as it was
written; so does a number with a decimal comma (`{"t": 21,5, "h": 1}`) and a value that is missing
(`{"t": , "h": 1}`). The bare words on, off, true and false, in any case, become texts. A comma
behind the last item, and U+0000 or U+001A behind the payload, mean nothing. A byte that is not
UTF-8 spoils its text only; UTF-16 is text where a byte order mark says so.

The standard library's parser does the work, in time linear in the payload: 8 ms at most. Only a
payload that msgspec cannot decode, or with more keys than it shows, comes here; it has at most
64 KiB.
"""

import codecs
import json
import math
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from protocol import codec
from protocol.errors import Reason, Refusal
from protocol.problems.detail import Detail

# More digits than any number of float64 has. `int` refuses 4,300 by itself, with words of its own.
_DIGITS_MAX = 400
# Keys and values. A message of 500 readings, each with `ts` and `id`, has 3,000.
PIECES_MAX = 4_000
# Each is refused by itself, and kept.
REPEATS_MAX = 100
# What nests more deeply is not listed.
LISTED_LEVELS = 100
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
_BEFORE = _BOM + " \t\r\n"
# C ends a text with U+0000. The U+001A by which a modem is told to send may become part of it.
_BEHIND = "\0\x1a \t\r\n"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WORDS = ("on", "off", "true", "false")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_LITERAL = re.compile(
    r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity", re.ASCII
)
# A text, also one without its end; a number with decimal commas, which only a colon tells from two
# items; what stands between the signs of JSON; a comma behind the last item; the colon of a missing
# value. It looks at no character more than a few times.
_PIECE = re.compile(
    r'"(?:[^"\\]|\\.)*"?'
    r"|(?<=:)[ \t\r\n]*+-?\d[\d.]*+(?:,\d++)++(?=[ \t\r\n]*[,}])"
    r'|[^ \t\r\n,:{}\[\]"]+'
    r"|,(?=[ \t\r\n]*[}\]])"
    r"|:(?=[ \t\r\n]*[,}])",
    re.DOTALL,
)


class Repeated(dict[str, Any]):
    """An object with keys that come more than once. The last of each counts, as in every parser of
    JSON; `earlier` has the others."""

    __slots__ = ("earlier",)
    earlier: list[tuple[str, Any]]


def decode(payload: bytes) -> Any:
    """Decode nearly JSON into Python builtins, and `msgspec.Raw` for values that JSON does not
    have.

    An object in which a key comes twice is `Repeated`.

    Raises:
        Refusal: it is empty, not UTF-8, nested too deeply, or damaged in another way.
    """
    text = text_of(payload)
    odd: list[str] = []
    marked, pieces = _PIECE.subn(partial(_marked, odd=odd), text, PIECES_MAX)
    if pieces == PIECES_MAX:
        raise Refusal(Reason.NOT_JSON, Detail("message_pieces", most=PIECES_MAX))
    try:
        return _decoded(marked, odd)
    except json.JSONDecodeError:
        raise Refusal(Reason.NOT_JSON, _why(text)) from None


def decode_value(payload: bytes) -> Any:
    """As `decode`; bare text that is not meant as JSON is a text, without spaces around it.

    A list is no value, so `[12:30] open` is meant as text.
    """
    text = text_of(payload)
    return decode(payload) if text[0] in '{"' else text


def with_repeats(payload: bytes, said: Any) -> Any:
    """What a payload of JSON says, with its keys that come twice; `said` is without these.

    Raises:
        Refusal: it nests too deeply, or repeats too much.
    """
    if payload.count(b":") == _keys_of(said):
        return said
    if payload.count(b'"') == 2 * _texts_in(said):
        return said  # the further colons are in texts, as in times
    return _decoded(payload.decode(), [])


def text_of(payload: bytes) -> str:
    """The payload as text, without a byte order mark, spaces around it and what C or a modem puts
    behind it. Bytes in JSON that are not UTF-8 become lone surrogates, with which a text is refused
    by itself.

    Raises:
        Refusal: it is empty, or bare text that is not UTF-8, nor UTF-16 with a byte order mark.
    """
    try:
        text = payload.decode("utf-16" if payload.startswith(_UTF_16) else "utf-8")
    except UnicodeDecodeError as error:
        if payload.lstrip(_BEFORE.encode())[:1] not in (b"{", b"["):
            detail = Detail("message_not_utf8", byte=error.start)
            raise Refusal(Reason.NOT_UTF8, detail) from None
        text = payload.decode("utf-8", "surrogateescape")
    text = text.lstrip(_BEFORE).rstrip(_BEHIND).strip()
    if not text:
        raise Refusal(Reason.NOT_JSON, Detail("message_empty"))
    return text


def encode(value: Any) -> bytes:
    """JSON of what `decode` returned, for the list of refused messages. It is what the device
    wrote, so it may not be JSON either. Of what nests too deeply, the first levels."""
    try:
        return codec.encode(value)
    except (UnicodeEncodeError, RecursionError):
        pass  # a lone surrogate, which JSON can escape; or less room on the stack than to decode it
    try:
        return json.dumps(value, default=_shown).encode()
    except RecursionError:
        return json.dumps(_cut_off(value, LISTED_LEVELS), default=_shown).encode()


def as_json(value: Any) -> bytes:
    """JSON of what `decode` returned; what JSON does not have is a text, as in `"NaN"`, and what
    UTF-8 does not have is `?`.

    Raises:
        Refusal: it nests too deeply.
    """
    try:
        text = json.dumps(value, default=_shown, ensure_ascii=False)
    except RecursionError:
        raise Refusal(Reason.TOO_DEEP, Detail("message_too_deep")) from None
    return text.encode("utf-8", "replace")


def why_unstorable(written: msgspec.Raw) -> Refusal:
    """Why a value that JSON does not have is refused."""
    text = _shown(written)
    if not text:
        return Refusal(Reason.BAD_VALUE, Detail("value_missing"))
    if is_not_finite(text):
        return Refusal(Reason.BAD_VALUE, not_a_number(text))
    if _LITERAL.fullmatch(text):
        return Refusal(Reason.BAD_VALUE, Detail("value_beyond", value=_cut(text)))
    return Refusal(Reason.BAD_VALUE, Detail("value_not_json", value=repr(_cut(text))[1:-1]))


def not_a_number(text: str) -> Detail:
    """Why a text is not the value of a number feed."""
    if is_not_finite(text):
        return Detail("value_not_finite", value=text)
    return Detail("value_not_number", value=repr(_cut(text))[1:-1])


def is_not_finite(text: str) -> bool:
    """Whether it is NaN or an infinity, as C, Python or JavaScript write it."""
    return _NOT_FINITE.fullmatch(text) is not None


def _decoded(text: str, odd: list[str]) -> Any:
    """Raises `Refusal` and `JSONDecodeError`."""
    decoder = json.JSONDecoder(
        object_pairs_hook=_object,
        parse_constant=partial(_odd, odd=iter(odd)),
        parse_float=_float,
        parse_int=_int,
    )
    try:
        return decoder.decode(text)
    except RecursionError:
        raise Refusal(Reason.TOO_DEEP, Detail("message_too_deep")) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) == len(pairs):
        return said
    last = {key: place for place, (key, _) in enumerate(pairs)}
    repeated = Repeated(said)
    if len(pairs) - len(said) > REPEATS_MAX:
        raise Refusal(Reason.TOO_MANY, Detail("message_repeats", most=REPEATS_MAX))
    repeated.earlier = [pair for place, pair in enumerate(pairs) if last[pair[0]] != place]
    return repeated


def _keys_of(said: Any) -> int:
    """How many keys the objects of readings in a message have. Each needs a colon."""
    keys = 0
    for each in said if type(said) is list else (said,):
        if type(each) is dict:
            keys += len(each)
            if "values" in each and type(each["values"]) is dict:
                keys += len(each["values"])
    return keys


def _texts_in(said: Any) -> int:
    """How many texts it has, keys and values. Each needs two quotation marks."""
    texts, left = 0, [said]
    for part in left:
        if type(part) is dict:
            texts += len(part)
            part = part.values()
        for each in part:
            if type(each) is str:
                texts += 1
            elif type(each) is dict or type(each) is list:
                left.append(each)
    return texts


def _marked(found: re.Match[str], odd: list[str]) -> str:
    """The piece itself; `NaN` for each that JSON does not have, so that the parser asks for it."""
    piece = found[0]
    if piece[0] == '"':
        return piece
    if piece == ",":
        return ""
    if piece == ":":
        odd.append("")
        return ":NaN"
    if piece[0] in " \t\r\n":  # behind a colon
        piece = piece.lstrip()
    if _LITERAL.fullmatch(piece):
        if piece[-1] in "Ny":  # NaN, Infinity
            odd.append(piece)
        return piece
    odd.append(piece)
    return "NaN"


def _odd(_: str, odd: Iterator[str]) -> Any:
    """What the device wrote in place of this constant; the parser meets them in their order."""
    piece: str = next(odd)
    return (
        piece if piece.lower() in _WORDS else msgspec.Raw(piece.encode("utf-8", "surrogateescape"))
    )


def _float(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else msgspec.Raw(text.encode())


def _int(text: str) -> Any:
    return int(text) if len(text) <= _DIGITS_MAX else msgspec.Raw(text.encode())


def _why(text: str) -> Detail:
    """What is wrong with it, and where."""
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        if error.pos >= len(text):
            return Detail("message_cut", count=len(text))
        said = error.msg.removesuffix(" at")
        said = f"{said[0].lower()}{said[1:]}"
        return Detail("message_not_json_at", problem=said, place=error.pos + 1)
    return Detail("message_not_json")


def _cut_off(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        return {key: _cut_off(each, levels - 1) for key, each in value.items()} if levels else "…"
    if isinstance(value, list):
        return [_cut_off(each, levels - 1) for each in value] if levels else "…"
    return value


def _shown(written: msgspec.Raw) -> str:
    return bytes(written).decode("utf-8", "replace")


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"

"""JSON in and out. Every byte from outside is decoded here, and only Roost's errors leave.

A msgspec decoder raises four families of exceptions (`DecodeError`, `ValidationError`,
`UnicodeDecodeError`, `RecursionError`). They become `BadPayload` for messages of devices, and
`Problem`s for REST bodies.
"""

import re
from itertools import islice
from typing import Any, TypeVar

import msgspec

from protocol.errors import BadPayload, Invalid, Malformed, Reason, TooLarge
from protocol.problems.detail import Detail
from protocol.rest.wrong_shapes import shape_detail

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_any = msgspec.json.Decoder()
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?$", re.DOTALL)

# Reported unknown fields: a body has room for ten thousand.
UNKNOWN_FIELDS_MAX = 20
# Decoding a megabyte of JSON blocks the event loop for up to 100 ms, also into a Struct, which
# checks a repeated field each time. The longest valid body is a command with 32 KiB of payload:
# up to three times as many bytes if every character is escaped.
BODY_BYTES_MAX = 128 * 1024

encode = _encoder.encode


def decode(data: bytes) -> Any:
    """Decode JSON of any shape into Python builtins.

    Raises:
        BadPayload: the bytes are not UTF-8, not JSON (RFC 8259), hold a number beyond float64, or
            nest deeper than the interpreter's stack.
    """
    return _guarded(_any, data)


def decode_as(decoder: "msgspec.json.Decoder[T]", data: bytes) -> T:
    """Decode JSON with a decoder that was built once for its type.

    Raises:
        BadPayload: as `decode`; `wrong_shape` if the JSON does not match the type.
    """
    return _guarded(decoder, data)


def _guarded(decoder: "msgspec.json.Decoder[T]", data: bytes) -> T:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        what, where = located(error)
        raise BadPayload(Reason.WRONG_SHAPE, what, where) from None
    except msgspec.DecodeError as error:
        raise BadPayload(Reason.NOT_JSON, str(error)) from None
    except UnicodeDecodeError as error:
        detail = f"byte {error.start} is not valid UTF-8"
        raise BadPayload(Reason.NOT_UTF8, detail) from None
    except RecursionError:
        raise BadPayload(Reason.TOO_DEEP, "the JSON nests too deeply") from None


def located(error: msgspec.ValidationError) -> tuple[str, str]:
    """Split msgspec's message into what is wrong and the path of the field ("" for the whole)."""
    found = _AT.match(str(error))
    assert found is not None  # the pattern matches any text
    return found["what"], found["where"] or ""


def decode_body(data: bytes, kind: type[T]) -> T:
    """Decode a request body into a Struct, reporting every invalid field.

    Raises:
        TooLarge: more than `BODY_BYTES_MAX` bytes.
        Malformed: not JSON.
        Invalid: JSON, but not this Struct; one message per field.
    """
    if len(data) > BODY_BYTES_MAX:
        raise TooLarge(Detail("body_too_large", most=BODY_BYTES_MAX))
    try:
        raw = decode(data)
    except BadPayload as error:
        raise Malformed(Detail("body_not_json", problem=error.detail)) from None
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise Invalid(_every_error(raw, kind, error)) from None


def _every_error(raw: Any, kind: type[Any], first: msgspec.ValidationError) -> dict[str, Detail]:
    """One message per field. msgspec stops at the first error, so each field is tried alone."""
    if not isinstance(raw, dict):
        return {"": shape_detail(located(first)[0])}
    errors: dict[str, Detail] = {}
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, field in fields.items():
        if name not in raw:
            if field.required:
                errors[name] = Detail("required")
            continue
        try:
            msgspec.convert(raw[name], field.type)
        except msgspec.ValidationError as error:
            what, where = located(error)
            between = "." if where and not where.startswith("[") else ""
            errors[f"{name}{between}{where}"] = shape_detail(what)
    unknown = (name for name in raw if name not in fields)
    for name in islice(unknown, UNKNOWN_FIELDS_MAX):
        errors[name] = Detail("unknown_field")
    if not errors:  # the error is not about a single field
        what, where = located(first)
        errors[where] = shape_detail(what)
    return errors

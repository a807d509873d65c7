"""Parameters of a query as a Struct."""

from typing import Any, TypeVar

import msgspec
from quart import Request

from protocol.codec import located
from protocol.errors import Invalid

Q = TypeVar("Q", bound=msgspec.Struct)


def decode_query(kind: type[Q], asked: Request) -> Q:
    """Query parameters as a Struct. Raises `Invalid`, one message per field."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in msgspec.structs.fields(kind):
        texts = asked.args.getlist(field.encode_name)
        if len(texts) != 1:
            if texts:
                errors[field.encode_name] = "is given more than once"
            elif field.required:
                errors[field.encode_name] = "is required"
            continue
        try:
            values[field.name] = msgspec.convert(texts[0], field.type, strict=False)
        except msgspec.ValidationError as error:
            errors[field.encode_name] = located(error)[0]
    if errors:
        raise Invalid(errors)
    return kind(**values)

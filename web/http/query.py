"""Parameters of a query as a Struct."""

from collections.abc import Collection
from itertools import islice
from typing import Any, TypeVar

import msgspec
from quart import Request

from protocol.codec import UNKNOWN_FIELDS_MAX, located
from protocol.errors import Invalid
from protocol.problems.detail import Detail
from protocol.rest.wrong_shapes import shape_detail

Q = TypeVar("Q", bound=msgspec.Struct)


def check_without_query(asked: Request) -> None:
    """Raises `Invalid` for the parameters of a call that takes none."""
    if asked.args:
        raise Invalid(_unknown(asked, ()))


def decode_query(kind: type[Q], asked: Request) -> Q:
    """Query parameters as a Struct. Raises `Invalid`, one message per field, also for those that
    it does not have."""
    values: dict[str, Any] = {}
    errors = _unknown(asked, kind.__struct_encode_fields__) if asked.args else {}
    for field in msgspec.structs.fields(kind):
        texts = asked.args.getlist(field.encode_name)
        if len(texts) != 1:
            if texts:
                errors[field.encode_name] = Detail("given_twice")
            elif field.required:
                errors[field.encode_name] = Detail("required")
            continue
        try:
            values[field.name] = msgspec.convert(texts[0], field.type, strict=False)
        except msgspec.ValidationError as error:
            errors[field.encode_name] = shape_detail(located(error)[0])
    if errors:
        raise Invalid(errors)
    return kind(**values)


def _unknown(asked: Request, known: Collection[str]) -> dict[str, Detail]:
    unknown = (name for name in asked.args if name not in known)
    return dict.fromkeys(islice(unknown, UNKNOWN_FIELDS_MAX), Detail("unknown_parameter"))

"""Ids as the outside sees them: UUID strings in their canonical form."""

import re

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in lower case with dashes; there is one spelling of each id."""
    return _UUID.fullmatch(text) is not None

"""Cursors: where a page ended, opaque to the client."""

import base64
from collections.abc import Sequence

from protocol.errors import Invalid

NUMBER_MAX = 2**63


def cursor(*place: int) -> str:
    text = ",".join(str(number) for number in place)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def place_of(cursor: str, numbers: int) -> Sequence[int]:
    """The numbers of a cursor of ours. Raises `Invalid` for anything else."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        place = [int(part) for part in text.split(",")]
    except ValueError:
        place = []
    if len(place) != numbers or any(abs(number) >= NUMBER_MAX for number in place):
        raise Invalid({"cursor": "is not a cursor of this list"})
    return place

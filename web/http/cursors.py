"""Cursors: the position at which a page ended, opaque to the client.

after = cursor_of((item.ts_us, item.num))
ts_us, num = place_in(msgspec.json.Decoder(tuple[int, int]), query.cursor)
"""

import base64
from typing import TypeVar

import msgspec

from protocol import codec
from protocol.errors import BadPayload

P = TypeVar("P")

CURSOR_MAX = 2_000
NUMBER_MAX = 2**63


def cursor_of(place: tuple[str | int, ...]) -> str:
    return base64.urlsafe_b64encode(codec.encode(place)).rstrip(b"=").decode()


def place_in(decoder: msgspec.json.Decoder[P], cursor: str) -> P:
    """The position in a cursor. Raises `ValueError` for anything else."""
    if len(cursor) > CURSOR_MAX:
        raise ValueError("longer than any cursor")
    data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    try:
        return codec.decode_as(decoder, data)
    except BadPayload as error:
        raise ValueError("not a cursor") from error

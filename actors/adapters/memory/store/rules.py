"""What PostgreSQL would refuse to store: the rules of its types, for the memory store."""

import base64
from collections.abc import Callable
from typing import Any, TypeVar

from protocol.errors import Outdated, Unavailable, Unstorable
from protocol.ids import is_uuid
from protocol.records import WriteUnit

T = TypeVar("T")


def computed(call: Callable[..., T], *args: Any) -> T | Exception:
    """`call(*args)`: our own code on a row inside a transaction, or the error that it raised.

    Raises `Unavailable`, which is about a server and not about the row.
    """
    try:
        return call(*args)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 (as the side of PostgreSQL translates it)
        return error


def check_uuid(text: str) -> None:
    """Raises `Unstorable` if it is no id."""
    if not is_uuid(text):
        raise Unstorable(f"{text!r} is not a UUID")


def check_storable(unit: WriteUnit) -> None:
    """Raises `Unstorable`: U+0000 in a text, lone surrogates, text that is no UUID."""
    texts = [reading.value for reading in unit.readings if isinstance(reading.value, str)]
    for rejection in unit.rejections:
        texts += [rejection.topic, rejection.payload, rejection.detail, rejection.coded or ""]
        check_uuid(rejection.user_id)
        if rejection.encoding == "base64":
            base64.b64decode(rejection.payload, validate=True)
    for rejection in unit.not_kept:
        check_uuid(rejection.user_id)
    for text in texts:
        if "\0" in text or not _is_encodable(text):
            raise Unstorable("a text holds what cannot be stored")


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def revised(current: int, known: int | None) -> int:
    """The revision after a change. Raises `Outdated` if it is another than the known one."""
    if known not in (None, current):
        raise Outdated
    return current + 1

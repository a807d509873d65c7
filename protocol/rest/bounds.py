"""The limit on how many of a noun a user may have."""

from protocol.errors import Conflict
from protocol.problems.detail import Detail


def check_room(code: str, count: int, more: int, most: int | None) -> None:
    """Check that a user with `count` of them can have `more`.

    Args:
        code: of the error, such as "devices_full".
        most: the limit; None: no limit.

    Raises:
        Conflict: it would be more than `most`.
    """
    if most is not None and count + more > most:
        raise Conflict(Detail(code, most=most, count=count))


def place_of_feeds(device_id: str | None) -> str:
    """The code of a feed's limit: of the feeds of one device, or of shared ones."""
    return "device_feeds_full" if device_id else "shared_feeds_full"

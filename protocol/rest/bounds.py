"""The limit on how many of a noun a user may have."""

from protocol.errors import Conflict


def check_room(what: str, count: int, more: int, most: int | None) -> None:
    """Check that a user with `count` of them can have `more`.

    Args:
        what: the plural noun for the error's text.
        most: the limit; None: no limit.

    Raises:
        Conflict: it would be more than `most`.
    """
    if most is not None and count + more > most:
        raise Conflict(f"You can have at most {most} {what}, and already have {count}")


def place_of_feeds(device_id: str | None) -> str:
    """The noun of a feed's limit: feeds of one device, or shared ones."""
    return "feeds of this device" if device_id else "feeds that all your devices share"

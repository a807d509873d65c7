"""How many of a noun somebody may have."""

from protocol.errors import Conflict


def check_room(what: str, count: int, more: int, most: int | None) -> None:
    """Raises `Conflict` where somebody who has `count` of them may not have so many more; a bound
    that is None bounds nobody."""
    if most is not None and count + more > most:
        raise Conflict(f"you may have {most} {what}, and have {count} already")


def place_of_feeds(device_id: str | None) -> str:
    return "feeds of this device" if device_id else "feeds that all your devices share"

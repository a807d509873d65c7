"""Places for uploads: limited in all, and per user; a slow upload gives way when all are taken.

    with places.take(user_id) as place:
        async for chunk in body:
            place.came(len(chunk))

Otherwise a few accounts that send a byte a second would hold all places for an hour.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from protocol.errors import Busy, TooSlow
from protocol.problems.detail import Detail

# Each holds a chunk (320 KiB), the decoder's copy of it, and 256 KiB of the file's beginning: some
# 16 MiB for all of them.
UPLOADS_MAX = 16
UPLOADS_OF_USER_MAX = 4  # the places are not for one user alone
RETRY_S = 5
# An upload that has lasted this long, and was slower than this, gives way.
SAFE_S = 30.0
SAFE_BYTES_PER_S = 50_000


class Place:
    """One upload."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.scope = trio.CancelScope()
        self._began_s = trio.current_time()
        self._bytes = 0

    def came(self, count: int) -> None:
        self._bytes += count

    @property
    def lasts_s(self) -> float:
        return trio.current_time() - self._began_s

    @property
    def bytes_per_s(self) -> float:
        return self._bytes / max(1.0, self.lasts_s)


class Uploads:
    """All places."""

    def __init__(self) -> None:
        self._taken: dict[Place, None] = {}

    @contextmanager
    def take(self, user_id: str) -> Iterator[Place]:
        """A place while the block runs.

        Raises:
            Busy: there is none.
            TooSlow: it had to be given up.
        """
        mine = sum(each.user_id == user_id for each in self._taken)
        if mine >= UPLOADS_OF_USER_MAX:
            detail = Detail("uploads_of_user", most=UPLOADS_OF_USER_MAX)
            raise Busy(detail, retry_after_s=RETRY_S)
        if len(self._taken) >= UPLOADS_MAX:
            self._make_room()
        place = Place(user_id)
        self._taken[place] = None
        try:
            with place.scope:
                yield place
            if place.scope.cancelled_caught:
                raise TooSlow(Detail("file_slowest"))
        finally:
            self._taken.pop(place, None)

    def _make_room(self) -> None:
        """Close the slowest one. Raises `Busy` if all are new or fast enough."""
        slow = [
            each
            for each in self._taken
            if each.lasts_s > SAFE_S and each.bytes_per_s < SAFE_BYTES_PER_S
        ]
        if not slow:
            raise Busy(Detail("uploads_busy"), retry_after_s=RETRY_S)
        slowest = min(slow, key=lambda each: each.bytes_per_s)
        del self._taken[slowest]
        slowest.scope.cancel()

"""Deletes readings beyond their feeds' retention: portion by portion, feed after feed.

retention = Retention(store)
deleted = await retention.run(now_us)      # hourly
"""

from actors.ports.store import Store


class Retention:
    """Remembers its position: after a failure it continues there, not at the first feed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._after = 0
        self._is_left = False

    async def run(self, now_us: int) -> int:
        """Delete until no feed has readings beyond its retention; return how many were deleted.

        Each call to the store is bounded. A feed with much to delete gets a share in each round.

        Raises:
            Unavailable: the next run continues where this one stopped.
        """
        deleted = 0
        while True:
            expired = await self._store.expire_history(now_us, self._after)
            deleted += expired.deleted
            self._is_left = self._is_left or expired.is_left
            self._after = expired.after or 0
            if expired.after is None:
                if not self._is_left:
                    return deleted
                self._is_left = False

"""What feeds keep no longer is deleted: portion by portion, from one feed to the next.

retention = Retention(store)
deleted = await retention.run(now_us)      # hourly
"""

from actors.ports.store import Store


class Retention:
    """Remembers how far it came: after a failure it goes on there, not at the first feed again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._after = 0
        self._is_left = False

    async def run(self, now_us: int) -> int:
        """Until no feed has anything left that it does not keep; answers how many readings went.

        Each call to the store is bounded. A feed that has much to lose gets a share in each round.

        Raises:
            Unavailable: the next run goes on where this one stopped.
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
